"""Reading values that are written as Python writes them, without running anything."""

import ast
from typing import Any


def read_literal(node: str | ast.expr) -> Any:
    """Read a value: numbers, strings, None, lists, tuples, dicts, and ``dict(key=value)``.

    Args:
        node: Its text, or its tree.

    Raises:
        ValueError: There is something else in it.
        SyntaxError: It is not Python.
    """
    tree = ast.parse(node.strip(), mode="eval").body if isinstance(node, str) else node
    return ast.literal_eval(_DictCalls().visit(tree))


def read_assignments(text: str) -> dict[str, Any]:
    """Read a text of lines such as ``name = dict(...)``, which is how mmengine prints configs.

    Raises:
        ValueError: A line is something else, or its value is; says which line.
    """
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"it can't be parsed ({error})") from error
    found = {}
    for line in lines:
        if not (isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)):
            raise ValueError(f"line {line.lineno} is no assignment of a name")
        try:
            found[line.targets[0].id] = read_literal(line.value)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"line {line.lineno} is no plain value ({error})") from error
    return found


class _DictCalls(ast.NodeTransformer):
    """Turns ``dict(a=1)`` into ``{'a': 1}``, and ``dict({'b c': 2}, a=1)`` into one such."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        named = all(keyword.arg for keyword in node.keywords)
        first = node.args[0] if node.args else ast.Dict([], [])
        is_dict = isinstance(node.func, ast.Name) and node.func.id == "dict"
        if not (is_dict and named and isinstance(first, ast.Dict) and len(node.args) < 2):
            raise ValueError(f"{ast.unparse(node)[:80]} is no value; dict(key=value) is")
        keys: list[ast.expr | None] = [ast.Constant(keyword.arg) for keyword in node.keywords]
        values = [keyword.value for keyword in node.keywords]
        return ast.Dict([*first.keys, *keys], [*first.values, *values])
