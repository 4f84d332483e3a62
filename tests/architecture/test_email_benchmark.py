"""The benchmark of the email worker runs; a test does not check its measurements."""

from benchmarks.emails import measure, table


async def test_a_short_run_measures_jobs_and_emails() -> None:
    figures = await measure(jobs=50, emails=16, rounds=1)
    for [one] in (figures.jobs, figures.emails):
        assert one.rate > 0
        assert one.cpu > 0
    assert table(figures).count("| ") > 0
    assert "sent per second of CPU" in table(figures)
