"""The launcher as a program: its words, its exit codes, its silence, and what it refuses to serve."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import Assistant, environment, free_port, launch, post, start, turn_body

CANARY = "canaryword"
QUICK = 120  # seconds for a command that neither trains nor serves, on a busy machine


def copy_of(home: Path, target: Path) -> Path:
    """A home with the same encoder and model, to be damaged."""
    (target / "bot").mkdir(parents=True)
    (target / "encoders").symlink_to((home / "encoders").resolve(), target_is_directory=True)
    shutil.copytree(home / "bot" / "models", target / "bot" / "models")
    return target


def pretend_other_encoder(home: Path) -> None:
    """Let a home name an encoder that its model was not trained with."""
    (home / "encoders").unlink()
    (home / "encoders").mkdir()
    (home / "encoders" / "CURRENT").write_text("cd" * 32, encoding="utf-8")


class TestTraining:
    def test_nothing_changed_nothing_trained(self, home: Path) -> None:
        record = (home / "bot" / "models" / "assistant.json").read_bytes()
        done = launch("train", home=home, timeout=QUICK)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the assistant is trained: nothing has changed\n"
        assert (home / "bot" / "models" / "assistant.json").read_bytes() == record

    def test_the_record_names_the_encoder(self, home: Path) -> None:
        record = json.loads((home / "bot" / "models" / "assistant.json").read_bytes())
        current = (home / "encoders" / "CURRENT").read_text(encoding="utf-8").strip()
        assert record["encoder"] == current

    def test_without_an_encoder_it_says_what_to_do(self, tmp_path: Path) -> None:
        done = launch("train", home=tmp_path, timeout=QUICK)
        assert done.returncode == 1
        assert "firstline kb build" in done.stderr
        assert len(done.stderr.splitlines()) == 1


class TestUsage:
    @pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "--now"]])
    def test_wrong_usage(self, arguments: list[str], tmp_path: Path) -> None:
        done = launch(*arguments, home=tmp_path, timeout=QUICK)
        assert done.returncode == 2
        assert "usage" in done.stderr

    def test_a_wrong_setting(self, tmp_path: Path) -> None:
        done = launch("serve", home=tmp_path, timeout=QUICK, FIRSTLINE_BOT_PORT="many")
        assert done.returncode == 2
        assert "FIRSTLINE_BOT_PORT" in done.stderr

    @pytest.mark.parametrize(
        ("command", "setting"),
        [("serve", "FIRSTLINE_BOT_PORT"), ("actions", "FIRSTLINE_ACTIONS_PORT")],
    )
    def test_a_taken_port_names_its_setting(self, home: Path, command: str, setting: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = launch(command, home=home, timeout=QUICK, **{setting: port})
        assert done.returncode == 1
        assert done.stderr == f"error: port {port} is in use: set {setting} to a free one\n"


class TestRefusals:
    def serve(self, home: Path) -> str:
        done = launch("serve", home=home, timeout=QUICK, FIRSTLINE_BOT_PORT=free_port())
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        return done.stderr

    def test_nothing_trained(self, tmp_path: Path) -> None:
        assert "not trained yet" in self.serve(tmp_path)

    def test_a_changed_model_is_code_nobody_trained(self, home: Path, tmp_path: Path) -> None:
        copied = copy_of(home, tmp_path / "home")
        with (copied / "bot" / "models" / "assistant.tar.gz").open("ab") as archive:
            archive.write(b"x")
        assert "damaged" in self.serve(copied)

    def test_a_broken_record(self, home: Path, tmp_path: Path) -> None:
        copied = copy_of(home, tmp_path / "home")
        (copied / "bot" / "models" / "assistant.json").write_text("[", encoding="utf-8")
        assert "not trained yet" in self.serve(copied)

    def test_another_encoder(self, home: Path, tmp_path: Path) -> None:
        copied = copy_of(home, tmp_path / "home")
        pretend_other_encoder(copied)
        assert "train it again" in self.serve(copied)


class TestServing:
    def test_they_say_one_line_each(self, assistant: Assistant) -> None:
        for process in assistant.processes:
            assert len(process.output().splitlines()) == 1
            assert "ready on 127.0.0.1:" in process.output()
            assert process.errors() == ""

    def test_customers_words_reach_no_log(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.send(f"where is my {CANARY} order")
        talk.send(f"/{CANARY}")
        post(
            assistant.url, turn_body(talk.sender, f"{CANARY} \ud800")
        )  # a turn that fails inside Rasa
        assistant.desk.stop()
        assistant.conversation().send(f"how much is delivery of a {CANARY}")
        logs = list((assistant.home / "logs").glob("*.log"))
        assert logs != []
        for text in [path.read_text(encoding="utf-8") for path in logs]:
            assert CANARY not in text
        assert "DeskUnreachable" in (assistant.home / "logs" / "bot-actions.log").read_text(
            "utf-8"
        )
        assert all(CANARY not in process.errors() for process in assistant.processes)

    @pytest.mark.parametrize(
        "path",
        ["/status", "/model", "/conversations/x/tracker", "/domain", "/webhooks/facebook/webhook"],
    )
    def test_rasas_own_api_is_closed(self, assistant: Assistant, path: str) -> None:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(assistant.url + path, timeout=30)  # noqa: S310  # our own, on loopback
        assert refused.value.code == 404

    def test_no_origin_is_allowed(self, assistant: Assistant) -> None:
        request = urllib.request.Request(  # noqa: S310  # our own, on loopback
            f"{assistant.url}/webhooks/rest/", headers={"Origin": "https://evil.example"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            assert answer.status == 200
            assert "Access-Control-Allow-Origin" not in answer.headers

    def test_without_the_action_server_the_answer_is_empty_or_the_turn_says_so(
        self, assistant: Assistant, tmp_path: Path
    ) -> None:
        """The service hands an empty list over; nothing else may come of it."""
        env = {**assistant.env, "FIRSTLINE_BOT_PORT": str(free_port())}
        env["FIRSTLINE_ACTIONS_PORT"] = str(free_port())  # nobody listens there
        lonely = start("serve", folder=tmp_path, env=env)
        try:
            lonely.wait_for("ready on", seconds=200)
            url = f"http://127.0.0.1:{env['FIRSTLINE_BOT_PORT']}"
            assert post(url, turn_body("a" * 32, "how much is delivery")) == (200, [])
        finally:
            code = lonely.stop()
        assert code == 0

    @pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_stops_the_actions_cleanly(
        self, tmp_path: Path, sign: signal.Signals
    ) -> None:
        env = environment(tmp_path, FIRSTLINE_ACTIONS_PORT=free_port())
        process = start("actions", folder=tmp_path, env=env)
        process.wait_for("actions ready on", seconds=QUICK)
        process.process.send_signal(sign)
        assert process.process.wait(timeout=30) == 0
        assert process.errors() == ""
