"""Chat templates: whether one can be read, before a model is loaded with it."""

from jinja2 import TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from models_runtime.errors import ModelNotLoadable


class _Generation(Extension):
    """The block `{% generation %}`, by which training templates mark the model's own words."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


# The sandbox and the additions that the transformers library reads templates with.
_SANDBOX = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
)


def check_template(template: str) -> None:
    """Raise ModelNotLoadable, with the line, for a template that cannot be read."""
    try:
        _SANDBOX.from_string(template)
    except TemplateSyntaxError as error:
        raise ModelNotLoadable(
            f"The chat template cannot be read: line {error.lineno}: {error.message}"
        ) from error
