"""Read a pickle without running it.

A pickle is a program: it may name anything to import and to call, and a few bytes of it may ask for all the memory or
all the time there is. So nothing here is unpickled. The few steps that build plain values are taken one by one, and any
other ends the reading. Keys of dictionaries are texts, no list grows by more than was read, nothing is compared.
"""

from __future__ import annotations

import io

from mirrorhub.records import text

MAX_STEPS = 1_000_000
_VALUES = frozenset({"BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BININT", "BININT1", "BININT2", "LONG1", "INT"})
_CONSTANTS = {"NEWTRUE": True, "NEWFALSE": False, "NONE": None}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def unpacked(data: bytes) -> object:
    """Return the value that a pickle describes, if it is made of lists, dictionaries, texts and whole numbers alone.

    Raises:
        ValueError: It is not, is far too long, or wants to do something; LookupError, it is broken.
    """
    return Pile().read(data)


class Pile:
    """The values that the steps of a pickle leave, and what they remember."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._marks: list[int] = []
        self._memory: dict[int, object] = {}

    def read(self, data: bytes) -> object:
        """Take every step, and return what is there in the end.

        Raises:
            ValueError: One is none of those that build values, or they are far too many; LookupError, it is broken.
        """
        import pickletools  # only where a pickle is found

        for steps, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if steps > MAX_STEPS:
                raise ValueError("has far too many steps")
            if opcode.name == "STOP":
                return self.values[-1]
            self.take(opcode.name, argument)
        raise ValueError("no end")

    def take(self, step: str, argument: object) -> None:
        """Take one step.

        Raises:
            ValueError: It is none of those that build plain values; LookupError, there is nothing to take it on.
        """
        match step:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(self.values))
            case "MEMOIZE":
                self._memory[len(self._memory)] = self.values[-1]
            case "BINPUT" | "LONG_BINPUT" | "PUT" if isinstance(argument, int):
                self._memory[argument] = self.values[-1]
            case "BINGET" | "LONG_BINGET" | "GET" if isinstance(argument, int):
                self.values.append(self._memory[argument])
            case _ if step in _VALUES:
                self.values.append(argument)
            case _:
                self.gather(step, argument)

    def gather(self, step: str, argument: object) -> None:
        """Put values into a container.

        Raises:
            ValueError: That is not what the step does.
        """
        match step:
            case "EMPTY_LIST" | "EMPTY_DICT":
                self._contain(step, [])
            case "LIST" | "DICT":
                self._contain(step, self.since_mark())
            case "APPENDS" | "SETITEMS":
                self._fill(self.since_mark())
            case "APPEND" | "SETITEM":
                self._fill(self._since(len(self.values) - (1 if step == "APPEND" else 2)))
            case _:
                self.act(step, argument)

    def act(self, step: str, argument: object) -> None:
        """Take a step that does something.

        Raises:
            ValueError: Always, where only plain values are read.
        """
        raise ValueError(f"wants to do something: {step}")

    def since_mark(self) -> list[object]:
        """Take off what has been put on since the last mark."""
        return self._since(self._marks.pop())

    def _since(self, place: int) -> list[object]:
        taken = self.values[place:]
        del self.values[place:]
        return taken

    def _contain(self, step: str, values: list[object]) -> None:
        self.values.append([] if step.endswith("LIST") else {})
        self._fill(values)

    def _fill(self, values: list[object]) -> None:
        container = self.values[-1]
        if isinstance(container, list):
            container.extend(values)
        elif isinstance(container, dict):
            container.update((text(key), value) for key, value in zip(values[::2], values[1::2], strict=True))
        else:
            raise ValueError("no container")  # noqa: TRY004 - it is the value of a record


class Rebuilding(Pile):
    """Reads objects, too: of a few known names, each made by a function of ours from plain values."""

    def act(self, step: str, argument: object) -> None:
        """Take a step that names, makes or fills an object.

        Raises:
            ValueError: None of those that are known.
        """
        match step:
            case "GLOBAL" | "INST":
                self.values.append(self.named(*str(argument).partition(" ")[::2]))
            case "STACK_GLOBAL":
                module, name = self._since(len(self.values) - 2)
                self.values.append(self.named(str(module), str(name)))
            case "REDUCE" | "NEWOBJ":
                what, arguments = self._since(len(self.values) - 2)
                self.values.append(self.made(what, arguments))
            case "BUILD":
                self.fill(self.values[-2], self.values.pop())
            case "BINPERSID":
                self.values.append(self.stored(self.values.pop()))
            case _:
                self._constant(step, argument)

    def _constant(self, step: str, argument: object) -> None:
        match step:
            case "EMPTY_TUPLE":
                self.values.append(())
            case "TUPLE":
                self.values.append(tuple(self.since_mark()))
            case "BINFLOAT":
                self.values.append(argument)
            case _ if step in _TUPLES:
                self.values.append(tuple(self._since(len(self.values) - _TUPLES[step])))
            case _ if step in _CONSTANTS:
                self.values.append(_CONSTANTS[step])
            case _:
                raise ValueError(f"wants to do something: {step}")

    def named(self, module: str, name: str) -> object:
        """Return what stands for a name; nothing is imported.

        Raises:
            ValueError: It is not known.
        """
        raise ValueError(f"asks for {module}.{name}")

    def made(self, what: object, arguments: object) -> object:
        """Return what a known name makes of some values.

        Raises:
            ValueError: It makes nothing of them.
        """
        raise ValueError("wants to call something")

    def fill(self, thing: object, state: object) -> None:
        """Give an object its state; nothing has any here."""

    def stored(self, name: object) -> object:
        """Return what is kept beside the pickle under a name.

        Raises:
            ValueError: Nothing is.
        """
        raise ValueError("asks for something beside it")
