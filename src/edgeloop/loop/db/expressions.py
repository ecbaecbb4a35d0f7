"""Conditions that databases write differently."""

from typing import Any

from sqlalchemy import Boolean, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from edgeloop.loop.db.columns import words_to_text

Column = InstrumentedAttribute[Any]


class Holds(FunctionElement[bool]):
    """Whether a column of ``Words`` has this one."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Column, word: str) -> None:
        super().__init__(column, literal(words_to_text([word])))


@compiles(Holds)
def _strpos(element: Holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"


@compiles(Holds, "sqlite")
def _instr(element: Holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


class Tested(FunctionElement[Any]):
    """A column that is tested row by row: no reason for SQLite to choose an index of it."""

    inherit_cache = True

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Tested)
def _plain(element: Tested, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Tested, "sqlite")
def _unindexed(element: Tested, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"
