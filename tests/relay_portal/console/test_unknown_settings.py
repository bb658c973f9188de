"""A setting that Ekiden does not have is told, with the one that was meant."""

from relay_portal.console import unknown_settings


def test_a_misspelt_setting_is_told_with_the_right_one():
    given = {"EKIDEN_SUBMISION_PORT": "587", "EKIDEN_FROBNICATE": "yes"}
    assert list(unknown_settings.found(given)) == [
        ("EKIDEN_FROBNICATE is no setting.", "See docs/settings.md."),
        ("EKIDEN_SUBMISION_PORT is no setting.", "Did you mean EKIDEN_SUBMISSION_PORT?"),
    ]


def test_settings_that_others_than_django_read_are_known():
    known = {
        "HOME": "/root",
        "EKIDEN_PYTHON": "python3",
        "EKIDEN_SECRET_KEY": "x",
        "EKIDEN_BIND": "",
    }
    assert list(unknown_settings.found(known)) == []
