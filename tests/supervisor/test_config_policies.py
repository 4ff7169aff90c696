"""Restart policies, health, limits and groups of a configuration become values, or mistakes that say what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config import load_settings, read_config
from rookery.supervisor.errors import ConfigError
from rookery.supervisor.restart import RestartMode
from rookery.supervisor.settings import Settings
from rookery.supervisor.strategy import AutoShutdown, GroupSettings, Significance, Strategy
from tests.doubles.deployments import ENVIRON, write_config

MIB = 1024 * 1024


def lines_for(directory: Path, text: str) -> list[str]:
    """The mistakes of a configuration, without its path."""
    read = read_config(write_config(directory, text), environ=ENVIRON)
    return [mistake.explain() for mistake in read.mistakes]


def test_every_policy_arrives(tmp_path: Path) -> None:
    """What the file says is what the shard has, and what it does not say has the default."""
    text = """
    [[group]]
    name = "services"
    strategy = "rest_for_one"
    restart_limit = 5
    restart_window = 60
    auto_shutdown = "all_significant"
    start_concurrency = 2
    start_stagger = 0
    [[shard]]
    name = "job"
    group = "services"
    significance = "one_shot"
    order = 7
    autostart = false
    [shard.restart]
    mode = "transient"
    backoff_max = 10
    failed_retry = 0
    [shard.quarantine]
    crash_limit = 4
    event_max_attempts = 2
    [shard.timeouts]
    start_max = 200
    load = 150
    [shard.health]
    hang_timeout = 60
    [shard.limits]
    rss_soft = "512M"
    rss_hard = "1.5G"
    nofile = 64
    max_age = 3600
    """

    settings = load_settings(write_config(tmp_path, text), environ=ENVIRON)

    [job] = settings.shards
    assert (job.group, job.significance, job.order) == ("services", Significance.ONE_SHOT, 7)
    assert not job.autostart
    assert (job.restart.mode, job.restart.backoff_max, job.restart.failed_retry) == (
        RestartMode.TRANSIENT,
        10.0,
        0.0,
    )
    assert (job.quarantine.crash_limit, job.quarantine.event_max_attempts) == (4.0, 2)
    assert (job.timeouts.start_max, job.timeouts.load, job.timeouts.drain) == (200.0, 150.0, 20.0)
    assert (job.health.hang_timeout, job.health.beat_timeout) == (60.0, 3.0)
    assert (job.limits.rss_soft, job.limits.rss_hard) == (512 * MIB, 1536 * MIB)
    assert (job.limits.nofile, job.limits.max_age) == (64, 3600.0)
    assert settings.groups == (
        GroupSettings(
            name="services",
            strategy=Strategy.REST_FOR_ONE,
            restart_limit=5,
            restart_window=60.0,
            auto_shutdown=AutoShutdown.ALL_SIGNIFICANT,
            start_concurrency=2,
            start_stagger=0.0,
        ),
        GroupSettings(),
    )


SHARD = "[[shard]]\nname = 'a'\n"
JOB = f"{SHARD}significance = 'one_shot'\nrestart.mode = 'transient'\n"
NEEDED = f"{SHARD}significance = 'required'\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(f"{SHARD}[shard.restart]\nburst_limt = 3",
                     "shard.a.restart.burst_limt: got an unknown key, expected one of 'backoff_base', 'backoff_factor', "
                     "'backoff_jitter', 'backoff_max', 'backoff_reset', 'burst_limit', 'burst_window', 'failed_retry', "
                     "'failed_retry_max', 'load_fail_limit', 'mode', 'sustained_limit' or 1 more; did you mean "
                     "'burst_limit'?", id="a slip of the pen"),
        pytest.param(f"{SHARD}[shard.timeouts]\nload = -1", "shard.a.timeouts.load: got -1, expected a number above 0",
                     id="a negative time"),
        pytest.param(f"{SHARD}[shard.health]\nbeat_timeout = -3", "shard.a.health.beat_timeout: got -3, expected a number "
                     "from 1 up", id="a negative patience"),
        pytest.param(f"{SHARD}order = -1", "shard.a.order: got -1, expected a whole number from 0 up", id="a negative place"),
        pytest.param(f"{SHARD}significance = 'needed'", "shard.a.significance: got 'needed', expected one of 'one_shot', "
                     "'optional', 'required'", id="an unknown significance"),
        pytest.param(f"{SHARD}restart.mode = 'allways'", "shard.a.restart.mode: got 'allways', expected one of 'permanent', "
                     "'temporary', 'transient'", id="an unknown mode"),
        pytest.param(f"{SHARD}significance = 'one_shot'",
                     "shard.a.significance: 'one_shot' with restart.mode 'permanent': a job that is always started again "
                     "never ends; set restart.mode to 'transient' or 'temporary'", id="a job without an end"),
        pytest.param(f"{NEEDED}restart.mode = 'temporary'",
                     "shard.a.significance: 'required' with restart.mode 'temporary': what is never started again is never "
                     "given up either; set restart.mode to 'permanent' or 'transient', or significance to 'one_shot'",
                     id="required and never restarted"),
        pytest.param(f"{SHARD}timeouts = {{ drain = 25, term_grace = 4, kill_wait = 2 }}",
                     "shard.a.timeouts.drain: got 25, which is 31 s with term_grace (4) and kill_wait (2), expected at most "
                     "30 s in all: service managers kill the whole host soon after; lower drain to 24", id="a slow stop"),
        pytest.param(f"{SHARD}timeouts.term_grace = 60",
                     "shard.a.timeouts.drain: got 20, which is 82 s with term_grace (60) and kill_wait (2), expected at most "
                     "30 s in all: service managers kill the whole host soon after; lower term_grace and kill_wait",
                     id="a slow stop that no draining can make up for"),
        pytest.param(f"{SHARD}timeouts.load = 500", "shard.a.timeouts.start_max: got 120, expected at least load (500): it is "
                     "the end of every extension; raise start_max or lower load", id="more time than the most"),
        pytest.param(f"{SHARD}restart.backoff_max = 100",
                     "shard.a.restart.backoff_reset: got 120, expected at least twice backoff_max (100): a shard would clear "
                     "its record between two of its delays; raise backoff_reset to 200 or lower backoff_max",
                     id="a record that never counts"),
        pytest.param(f"{SHARD}restart.backoff_base = 60", "shard.a.restart.backoff_max: got 30, expected at least "
                     "backoff_base (60); raise backoff_max or lower backoff_base", id="a first delay above the last"),
        pytest.param(f"{SHARD}restart.failed_retry_max = 10", "shard.a.restart.failed_retry_max: got 10, expected at least "
                     "failed_retry (300); raise failed_retry_max or lower failed_retry", id="a first retry above the last"),
        pytest.param(f"{SHARD}health.hang_timeout = 2",
                     "shard.a.health.hang_timeout: got 2, expected more than beat_timeout (3): a runner is suspect before it "
                     "is killed; raise hang_timeout or lower beat_timeout", id="killed before it is suspect"),
        pytest.param(f"{SHARD}limits.rss_soft = '2G'",
                     "shard.a.limits.rss_soft: got 2147483648, expected less than rss_hard (1610612736): a runner is asked to "
                     "leave before it is killed; lower rss_soft, or set it to 0", id="killed before it is asked"),
        pytest.param(f"{SHARD}limits.memory = '512M'\nlimits.rss_hard = '400M'",
                     "shard.a.limits.rss_hard: got 419430400, expected nothing beside memory (536870912), which is the hard limit of "
                     "all its processes together; leave one of them out", id="two hard limits"),
        pytest.param(f"{SHARD}limits.memory = '512M'\nlimits.rss_soft = '600M'",
                     "shard.a.limits.rss_soft: got 629145600, expected less than memory (536870912): a runner is asked to "
                     "leave before it is killed; lower rss_soft, or set it to 0", id="killed before it is asked, by memory"),
        pytest.param(f"{SHARD}limits.rss_hard = '512MB'", "shard.a.limits.rss_hard: got '512MB', expected a size such as "
                     "'512M' or '1.5G', or a whole number of bytes from 0 up", id="an unknown unit"),
        pytest.param(f"{SHARD}limits.rss_hard = 1.5", "shard.a.limits.rss_hard: got 1.5, expected a size such as '512M' or "
                     "'1.5G', or a whole number of bytes from 0 up", id="half a byte"),
        pytest.param(f"{SHARD}limits.nofile = '64'", "shard.a.limits.nofile: got '64', expected a whole number from 0 to "
                     "1.04858e+06; take the quotes away", id="a number in quotes"),
        pytest.param(f"{SHARD}quarantine.quarantine_max = 1", "shard.a.quarantine.quarantine_max: got 1, expected at least "
                     "quarantine_base (30); raise quarantine_max or lower quarantine_base", id="a quarantine that shrinks"),
        pytest.param("[group]\nname = 'b'", "group: got {'name': 'b'}, expected a section [[group]] for each group; write "
                     "[[group]], with two brackets", id="one bracket"),
        pytest.param("[[group]]\nstrategy = 'one_for_all'", "group[0].name: got nothing, expected a word of a-z, 0-9, '_' and "
                     "'-', such as 'plugins'", id="a group without a name"),
        pytest.param("[[group]]\nname = 'b'\nstrategy = 'one_for_al'", "group.b.strategy: got 'one_for_al', expected one of "
                     "'one_for_all', 'one_for_one', 'rest_for_one'; did you mean 'one_for_all'?", id="an unknown strategy"),
        pytest.param("[[group]]\nname = 'b'\nrestart_window = 0", "group.b.restart_window: got 0, expected a number above 0",
                     id="a window of nothing"),
        pytest.param("[[group]]\nname = 'b'\n[[group]]\nname = 'b'", "group.b: got a second [[group]] with the name 'b', "
                     "expected a name of its own for each", id="two groups of one name"),
        pytest.param(f"{SHARD}group = 'servics'\n[[group]]\nname = 'services'", "shard.a.group: got 'servics', expected one "
                     "of 'plugins', 'services'; did you mean 'services'?", id="a group that nobody names"),
        pytest.param(f"{SHARD}group = 'mine'", "shard.a.group: got 'mine', expected 'plugins'; add a [[group]] with the name "
                     "\"mine\"", id="a group that is not there"),
        pytest.param(f"{SHARD}group = 'b'\n[[group]]\nname = 'b'\nrestart_limit = -1",
                     "group.b.restart_limit: got -1, expected a whole number from 0 up", id="a shard of a group with a mistake"),
        pytest.param(f"{SHARD}[[group]]\nname = 'plugins'\nauto_shutdown = 'any_significant'",
                     "group.plugins.auto_shutdown: 'any_significant', and no shard of the group is one_shot: the host would "
                     "never end; set significance = \"one_shot\" for the shards that have a job, or auto_shutdown = \"never\"",
                     id="an end that nobody brings about"),
        pytest.param(f"{NEEDED}[[group]]\nname = 'plugins'\nrestart_limit = 0",
                     "group.plugins.restart_limit: 0, and shard 'a' is required: the host would end without one restart of the "
                     "group; set restart_limit to 1 or more, or take the significance of the shard away",
                     id="required and no restart"),
        pytest.param("[[group]]\nname = 'plugins'\nstrategy = 'rest_for_one'\n[[shard]]\nname = 'a'\norder = 1\n[[shard]]\n"
                     "name = 'b'\norder = 1",
                     "shard.b.order: got 1, which shard 'a' has too, and group 'plugins' is rest_for_one, expected a number of "
                     "its own for each; change one of the two, or leave order out: the file has an order of its own",
                     id="two in one place"),
        pytest.param(f"{SHARD}overflow = 'block'", "shard.a.overflow: got an unknown key, expected one of "
                     "'allow_subprocess', 'autostart', 'capabilities', 'capacity', 'environment', 'group', 'health', 'isolation', "
                     "'isolation_fallback', 'limits', 'max_inflight', 'name' or 20 more", id="what is not built"),
    ],
)  # fmt: skip
def test_a_refused_policy_says_what_to_change(text: str, line: str, tmp_path: Path) -> None:
    """One line for each, and no second one for what only follows from the first."""
    assert lines_for(tmp_path, text) == [line]


@pytest.mark.parametrize(
    "slip",
    [
        pytest.param("restart.mode = 'transiet'", id="the mode has a slip"),
        pytest.param("restart = { mode = 'transient', backoff_reset = 1 }", id="its policy has a clash"),
        pytest.param("restart = 3", id="its policy is no table"),
    ],
)
def test_a_mistake_in_a_policy_causes_no_second_one(slip: str, tmp_path: Path) -> None:
    """Nobody has chosen the default that stands in its place."""
    text = f"[[group]]\nname = 'plugins'\nauto_shutdown = 'all_significant'\n{SHARD}significance = 'one_shot'\n{slip}"

    assert len(lines_for(tmp_path, text)) == 1


@pytest.mark.parametrize("slip", ["group = 'job'", "significance = 'oneshot'", "significance = 'one_shot'"])
def test_a_mistake_in_a_shard_causes_none_in_its_group(slip: str, tmp_path: Path) -> None:
    """That the group has no job is not told: somebody tried to give it one."""
    text = f"[[group]]\nname = 'jobs'\nauto_shutdown = 'any_significant'\n{SHARD}{slip}"

    [line] = lines_for(tmp_path, text)

    assert line.startswith("shard.a.")


def test_all_clashes_of_a_table_come_at_once(tmp_path: Path) -> None:
    """Nobody has to correct one to see the next."""
    text = f"{SHARD}[shard.restart]\nbackoff_base = 50\nbackoff_reset = 30\nsustained_window = 5\nfailed_retry_max = 1"

    keys = [line.split(":")[0] for line in lines_for(tmp_path, text)]

    assert keys == [
        "shard.a.restart.backoff_max",
        "shard.a.restart.backoff_reset",
        "shard.a.restart.sustained_window",
        "shard.a.restart.failed_retry_max",
    ]


def test_one_bad_policy_refuses_the_whole_file(tmp_path: Path) -> None:
    """F15: nothing of it is taken over, so what ran goes on as it did."""
    config = write_config(
        tmp_path, "[[shard]]\nname = 'good'\n[[shard]]\nname = 'bad'\nrestart.backoff_max = -1"
    )

    with pytest.raises(ConfigError, match=r"shard\.bad\.restart\.backoff_max: got -1"):
        load_settings(config, environ=ENVIRON)


def test_the_place_in_the_file_needs_no_number(tmp_path: Path) -> None:
    """An order is only for those that want another one; one_for_one has none, so equal numbers do no harm."""
    text = "[[shard]]\nname = 'a'\norder = 1\n[[shard]]\nname = 'b'\norder = 1\n[[shard]]\nname = 'c'"

    assert lines_for(tmp_path, text) == []


def test_a_job_and_a_needed_shard_are_fine(tmp_path: Path) -> None:
    """The ordinary uses of significance are no mistakes."""
    jobs = "[[group]]\nname = 'plugins'\nauto_shutdown = 'all_significant'\n"

    assert lines_for(tmp_path, f"{jobs}{JOB}") == []
    assert lines_for(tmp_path, NEEDED) == []


def test_the_default_group_is_always_there(tmp_path: Path) -> None:
    """Also in settings that a program makes."""
    settings = Settings(path=tmp_path, name="x", state_dir=tmp_path, groups=[GroupSettings(name="mine")])

    assert [group.name for group in settings.groups] == ["mine", "plugins"]
