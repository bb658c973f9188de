"""What Prometheus gets, and who else does not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.message.ids import first_id_of
from deliveries.models import Stop
from smtp_listener.admission.limits import FORGED_RETURN_PATHS
from tests.deliveries import make

pytestmark = pytest.mark.django_db
URL, TOKEN = "/metrics/", "a-token-of-ours"


@pytest.fixture
def metrics(client, settings):
    settings.EKIDEN_METRICS_TOKEN = TOKEN

    def get():
        answer = client.get(URL, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return dict(
            line.rsplit(" ", 1)
            for line in answer.content.decode().splitlines()
            if not line.startswith("#")
        )

    return get


@pytest.mark.usefixtures("mail_db")
def test_the_oldest_that_waits_in_each_lane_is_told(metrics):
    lane = make.lane("mx.test", rate=20.0, window=3)
    old = first_id_of(timezone.now() - timedelta(minutes=10))
    make.delivery(lane=lane, id=old)
    make.delivery(lane=lane)
    make.delivery(
        lane=make.lane("ended.test"), state="delivered", due_at=None, ended_at=timezone.now()
    )
    told = metrics()
    labels = f'{{lane="{lane.pk}",site="mx.test"}}'
    assert 600 <= float(told[f"ekiden_lane_oldest_waiting_seconds{labels}"]) < 660
    assert told[f"ekiden_lane_waiting{labels}"] == "2"
    assert told[f"ekiden_lane_messages_per_second{labels}"] == "20"
    assert not any("ended.test" in name for name in told)


def test_the_emergency_stop_is_told(metrics):
    assert metrics()["ekiden_delivery_stopped"] == "0"
    Stop.objects.create(scope="all", reason="fire", created_by="operator")
    assert metrics()["ekiden_delivery_stopped"] == "1"


@pytest.mark.usefixtures("mail_db")
def test_a_strangers_host_name_cannot_break_the_lines(metrics):
    make.delivery(lane=make.lane('a"b\\c\nd.test'))
    assert any('site="a\\"b\\\\c\\nd.test"' in name for name in metrics())


@pytest.mark.parametrize("shown", [None, "Bearer ", "Bearer wrong", TOKEN + "x"])
def test_without_the_token_nothing_is_told(client, settings, shown):
    settings.EKIDEN_METRICS_TOKEN = TOKEN
    assert client.get(URL, headers={"Authorization": shown} if shown else {}).status_code == 401


def test_without_a_token_in_the_settings_there_is_no_such_page(client, settings):
    settings.EKIDEN_METRICS_TOKEN = ""
    assert client.get(URL, headers={"Authorization": "Bearer "}).status_code == 404


def test_forged_return_paths_are_counted(metrics, valkey):
    valkey.set(FORGED_RETURN_PATHS, 3, ex=60)
    assert metrics()["ekiden_forged_return_paths"] == "3"


def test_without_valkey_the_other_figures_are_told(metrics, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    told = metrics()
    assert "ekiden_forged_return_paths" not in told
    assert told["ekiden_delivery_stopped"] == "0"
