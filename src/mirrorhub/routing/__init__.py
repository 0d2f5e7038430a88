"""The SDKs' functions led along the chain, without a change to the code that calls them: `mirrorhub.install`.

detour         one function led elsewhere, in place, and back
question       what an SDK asks beside files
reply          what it is answered
inquiry        such a question asked along the chain
sessions       where these questions leave an SDK
hub_api        what modelscope_hub's object downloads
routes         which functions are led, and where
installation   install and uninstall
"""
