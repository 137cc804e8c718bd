"""A history survives the death of its client, and puts several processes in one order."""

from __future__ import annotations

from emco_store.contracts.histories.history import Recorder, Result, read


def test_operation_is_read_as_it_was_written(tmp_path):
    """What a client asked and was told is there again, with its times in order."""
    with Recorder(tmp_path / "a") as recorder:
        recorder.call("p", [["get", "r"]]).ends(Result.OK, [["get", "r"], "absent"], "NotFound")

    (found,) = read(tmp_path / "a").operations

    assert (Result.OK, (["get", "r"], "absent"), "NotFound") == (found.result, found.steps, found.problem)
    assert found.called_ns <= (found.returned_ns or 0)


def test_call_without_an_end_is_unknown(tmp_path):
    """A client that was killed had asked, and may have been heard."""
    with Recorder(tmp_path / "a") as recorder:
        recorder.call("p", [["append", "x", 1]])

    (found,) = read(tmp_path / "a").operations

    assert (Result.UNKNOWN, None) == (found.result, found.returned_ns)


def test_line_that_was_cut_off_is_passed_over(tmp_path):
    """The last line of a killed process may be half of one."""
    with Recorder(tmp_path / "a") as recorder:
        recorder.call("p", []).ends(Result.OK)
    with (tmp_path / "a").open("a") as file:
        file.write('{"p":"p","c":1')

    assert 1 == len(read(tmp_path / "a").operations)


def test_parts_of_several_processes_are_put_in_the_order_of_their_calls(tmp_path):
    """Each process writes its own file; together they are one history, and what was counted is added up."""
    with Recorder(tmp_path / "a") as one, Recorder(tmp_path / "b") as two:
        calls = [recorder.call(name, []) for recorder, name in ((two, "first"), (one, "second"), (two, "third"))]
        for call in calls:
            call.ends(Result.OK)
        one.count({"lost replies": 2})
        two.count({"lost replies": 3})

    found = read(tmp_path / "a", tmp_path / "b")

    assert ["first", "second", "third"] == [operation.process for operation in found.operations]
    assert {"lost replies": 5} == found.counts
