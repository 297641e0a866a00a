"""The files of deploy/: what their schemas and linters say, and that both kinds start the same commands."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from django.conf import settings

pytestmark = pytest.mark.once

DEPLOY = Path(settings.BASE_DIR) / "deploy"
MANIFESTS = sorted(path for path in DEPLOY.glob("kubernetes/*.yaml") if path.stem != "kustomization")
OURS = ("migrate", "web", "worker", "gpu-worker", "train-worker", "beat")


def linted(program: str, *words: object) -> str:
    """What a linter of the virtual environment says; "" when it finds nothing."""
    found = shutil.which(program, path=Path(sys.executable).parent)
    ended = subprocess.run([found, *map(str, words)], cwd=DEPLOY.parent, capture_output=True, text=True)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


@cache
def compose() -> dict:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@cache
def resources() -> dict[tuple[str, str], dict]:
    """By kind and name, what the manifests make."""
    found = [part for path in MANIFESTS for part in yaml.safe_load_all(path.read_text()) if part]
    return {(part["kind"], part["metadata"]["name"]): part for part in found}


def pods() -> dict[str, dict]:
    kinds = ("Deployment", "Job")
    return {
        name: part["spec"]["template"]["spec"] for (kind, name), part in resources().items() if kind in kinds
    }


def test_yaml_is_written_alike():
    assert linted("yamllint", "--strict", "deploy") == ""


def test_the_image_is_written_as_its_linter_wants():
    assert linted("hadolint", "deploy/Dockerfile") == ""


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_files_are_of_their_schema(name):
    assert linted("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / name) == ""


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_are_of_their_schema(path):
    for part in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(part, kubernetes_validate.latest_version(), strict=True)


def test_every_manifest_is_applied_but_the_example():
    listed = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == [path.name for path in MANIFESTS if path.name != "secret.example.yaml"]


@pytest.mark.parametrize("role", OURS)
def test_both_start_the_same_command(role):
    (container,) = pods()[role]["containers"]
    assert container.get("command") == compose()["services"][role].get("command")


@pytest.mark.parametrize("role", OURS)
def test_no_container_of_ours_may_more_than_it_needs(role):
    (container,), pod, service = pods()[role]["containers"], pods()[role], compose()["services"][role]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    confined = container["securityContext"]
    assert confined["readOnlyRootFilesystem"] and not confined["allowPrivilegeEscalation"]
    assert confined["capabilities"] == {"drop": ["ALL"]} and container["resources"]["limits"]["memory"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "USER 10001\n" in (DEPLOY / "Dockerfile").read_text()


def test_what_may_be_interrupted_is_guarded_and_beat_is_one():
    budgets = {name for kind, name in resources() if kind == "PodDisruptionBudget"}
    assert budgets == {"web", "worker", "gpu-worker"}
    beat = resources()["Deployment", "beat"]["spec"]
    assert beat["replicas"] == 1 and beat["strategy"] == {"type": "Recreate"}


def test_variables_are_ones_that_evenhand_reads():
    known = (DEPLOY.parent / "annotation/settings.py").read_text()
    known += (DEPLOY.parent / "annotation/celery.py").read_text()
    config = resources()["ConfigMap", "evenhand"]["data"]
    for name in {*config, *compose()["services"]["worker"]["environment"]} - {"ALIVE_FILE"}:
        assert f'("{name.removesuffix("_FILE")}"' in known, name
    assert config.keys() == compose()["services"]["web"]["environment"].keys()


def test_secrets_are_drawn_once_and_for_nobody_else(tmp_path):
    script = tmp_path / "secrets.sh"
    shutil.copy(DEPLOY / "secrets.sh", script)
    told = []
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True)
        told.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})
    assert told[0] == told[1] and set(told[0]) == set(compose()["secrets"])
    assert len(told[0]["secret_key"]) == 64 and told[0]["database_password"] in told[0]["database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o77 == 0


def test_a_secret_that_lies_in_the_folder_is_never_committed():
    ignored = subprocess.run(
        ["git", "check-ignore", "deploy/secrets/secret_key"], cwd=DEPLOY.parent, capture_output=True
    )
    assert ignored.returncode == 0 or not (DEPLOY.parent / ".git").exists()


def test_the_proxy_waits_for_what_is_sent_slowly_so_that_no_thread_of_the_web_server_does():
    """Any body but an upload's fits: Django takes none that is larger."""
    found = re.search(
        r"reverse_proxy web:8000 \{[^}]*request_buffers (\d+)MB", (DEPLOY / "Caddyfile").read_text()
    )
    assert found and int(found[1]) * 1_000_000 > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
