"""`rookery new`: the first version of a plugin, which works and is tested."""

from __future__ import annotations

import re
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path
from string import Template

import attrs
import click

from .mistake_lines import short_path

TEMPLATES = {"plugin.toml": "plugin.toml", "plugin.py": "plugin.py", "test_plugin.py": "test_{word}.py"}
"""The file that is written from each template. pytest wants test files of different names."""

SUFFIX = ".template"
"""So that nothing takes a template for a module of rookery."""

TAKEN = {"Field", "Message", "Plugin", "PluginConfig"}
"""What the template imports: no name for a class of its own."""

_PLUGIN_ID = re.compile(
    r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)+"
)  # as in rookery.protocol, which takes long to import


@attrs.frozen
class NewPlugin:
    """What a plugin that does not exist yet is called."""

    plugin_id: str

    @property
    def word(self) -> str:
        """Its last part in small letters: names the directory and the command."""
        return re.split(r"[.-]", self.plugin_id)[-1].lower()

    @property
    def class_name(self) -> str:
        """`word_count` becomes `WordCount`; what is no name for a class gets a word before it."""
        name = "".join(part.capitalize() for part in self.word.split("_"))
        is_free = name.isidentifier() and not iskeyword(name) and not {name, f"{name}Config"} & TAKEN
        return name if is_free else f"My{name}"

    def write(self, directory: Path) -> list[Path]:
        """Make the directory and its files.

        Raises:
            OSError: The directory is there already, or cannot be made.
        """
        directory.mkdir(parents=True)
        written = []
        for template, name in TEMPLATES.items():
            text = files(__package__).joinpath("templates", "plugin", template + SUFFIX).read_text("utf-8")
            filled = Template(text).substitute(
                plugin_id=self.plugin_id,
                word=self.word,
                class_name=self.class_name,
                title=self.word.replace("_", " ").strip().capitalize() or self.word,
            )
            path = directory / name.format(word=self.word)
            path.write_text(filled, "utf-8")
            written.append(path)
        return written


def check_plugin_id(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A plugin's id, or what would make one of what was given."""
    if _PLUGIN_ID.fullmatch(value):
        return value
    parts = re.findall(r"[A-Za-z0-9_]+", value)
    example = ".".join(parts if len(parts) > 1 else ["my", *(parts or ["plugin"])])
    raise click.BadParameter(
        f"{value!r} is not a plugin's id: two or more words of letters, digits and '_', joined by '.' or '-', "
        f"such as {example!r}"
    )


@click.group("new", short_help="Write the first version of a plugin.")
def command() -> None:
    """Write the first version of something.

    Exit codes: 0 it is written; 1 an argument is wrong, or something is in its place already.
    """


@command.command("plugin", short_help="A plugin with a command, an event handler and a test.")
@click.argument("plugin_id", metavar="NAME", callback=check_plugin_id)
@click.option(
    "--dir", "parent", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="DIR",
    help="Make the plugin's directory in there. Without it: in this directory.",
)  # fmt: skip
def new_plugin(plugin_id: str, parent: Path) -> None:
    """Write a plugin that works: a manifest, a class with a configuration, a command and an event handler, and a test.

    NAME is the plugin's id, such as my.dice: two or more words joined by '.' or '-'. Choose the first so that nobody
    else has it. The last one names the directory and the command. Nothing is ever overwritten.

    \b
    Example:
      rookery new plugin my.dice --dir plugins
      python -m pytest plugins/dice

    Exit codes: 0 it is written; 1 NAME is no id, or the directory is there already.
    """
    plugin = NewPlugin(plugin_id)
    directory = parent / plugin.word
    try:
        written = plugin.write(directory)
    except FileExistsError:
        raise click.ClickException(
            f"{directory} is there already and nothing is overwritten: choose another NAME or --dir"
        ) from None
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be written: {error.strerror}") from None
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(
        f"\nIts test:     python -m pytest {directory}\n"
        f'In a bot:     plugin_dirs = ["{short_path(str(parent))}"] under [rookery] in rookery.toml, and\n'
        f'              plugins = ["{plugin_id}"] in a [[shard]]\n'
        f"Then:         rookery check rookery.toml"
    )
