import Testing
import Traces

@testable import PhaseLink

@Suite struct NodePhasesTests {
    private func kinds(_ phases: [Phase]) -> [String] {
        phases.map { "\($0.kind) \($0.beginNanoseconds)-\($0.endNanoseconds)" }
    }

    private func phases(_ processes: [Process], extent: Range<Int64>? = nil, closings: [SourceIdentity: Int64] = [:])
        -> NodePhases
    {
        NodePhases(
            TimeLineRecord(
                timeLine: TimeLine(node: "edge-0", boot: "4987cb3ccadb"), events: processes.flatMap(\.events),
                extent: extent, closings: closings))
    }

    @Test func oneRoundIsSharedOutAsTheTaxonomySays() {
        var node = Process("1-a")
        node.span("model_download", 100..<110)
        node.span("app_wait", 110..<200)
        node.span("model_upload", 200..<220)
        node.span("model_download", 300..<310)
        node.span("app_wait", 310..<350)
        node.span("model_upload", 350..<360)
        var client = Process("2-b")
        let train = client.begin("local_train", at: 130, round: 1)
        client.span("epoch", 140..<150, round: 1)
        client.end("local_train", span: train, at: 190)
        client.bye(at: 191)
        var second = Process("3-c")
        second.span("evaluate", 330..<340, round: 1)
        let found = phases([client, second, node], extent: 0..<400)
        #expect(
            kinds(found.partition) == [
                "idle 0-100", "model_download 100-110", "app_start 110-130", "local_train 130-190", "poll_out 190-200",
                "model_upload 200-220", "await_work 220-300", "model_download 300-310", "app_start 310-330",
                "evaluate 330-340", "poll_out 340-350", "model_upload 350-360", "idle 360-400",
            ])
        #expect(kinds(found.nested) == ["epoch 140-150"])
        #expect(found.nested.first?.attributes["parent"] == "local_train")
        #expect(kinds(found.envelopes) == ["app_wait 110-200", "app_wait 310-350"])
        #expect(found.unpaired.isEmpty && found.remarks.isEmpty)
        #expect(found.partition.filter { $0.kind == "app_start" }.map(\.round) == [1, 1])
    }

    @Test func receivingADatasetIsReportedBesideThePartition() {
        var node = Process("1-a")
        node.span("model_download", 100..<110)
        node.span("model_upload", 150..<160)
        var client = Process("2-b")
        client.span("query_dataset", 130..<140)
        let found = phases([node, client])
        #expect(kinds(found.envelopes) == ["dataset_receive 100-140"])
        #expect(
            kinds(found.partition) == [
                "model_download 100-110", "app_start 110-130", "query_dataset 130-140", "poll_out 140-150",
                "model_upload 150-160",
            ])
    }

    @Test func workWinsOverNetworkWhereTheyOverlap() {
        var node = Process("1-a")
        node.span("model_upload", 10..<40)
        node.span("model_download", 30..<60)
        var client = Process("2-b")
        client.span("local_train", 15..<20)
        let found = phases([node, client], extent: 0..<60)
        #expect(
            kinds(found.partition) == [
                "idle 0-10", "model_upload 10-15", "local_train 15-20", "model_upload 20-40", "model_download 40-60",
            ])
    }

    @Test func aKilledClientIsClosedWhenTheNodeGivesUpOnIt() {
        var node = Process("1-a")
        node.span("model_download", 100..<110)
        node.span("app_wait", 110..<900)
        node.span("model_upload", 910..<920)
        node.span("model_download", 1000..<1010)
        node.span("model_upload", 1050..<1060)
        var client = Process("2-b")
        _ = client.begin("local_train", at: 130, round: 4)
        var next = Process("3-c")
        next.span("evaluate", 1020..<1040)
        let found = phases([node, client, next])
        #expect(
            kinds(found.partition) == [
                "model_download 100-110", "app_start 110-130", "local_train 130-900", "poll_out 900-910",
                "model_upload 910-920", "await_work 920-1000", "model_download 1000-1010", "app_start 1010-1020",
                "evaluate 1020-1040", "poll_out 1040-1050", "model_upload 1050-1060",
            ])
        let train = found.partition.first { $0.kind == "local_train" }
        #expect(train?.origin == .aborted)
        #expect(train?.attributes["closed_by"] == "app_wait_end")
        #expect(found.unpaired.map(\.lack) == [.end])
    }

    @Test func theConnectionClosingComesFirstWhereItIsKnown() {
        var node = Process("1-a")
        node.span("model_download", 100..<110)
        node.span("app_wait", 110..<900)
        node.span("model_upload", 910..<920)
        var client = Process("2-b")
        _ = client.begin("local_train", at: 130)
        let found = phases([node, client], closings: [client.source: 400])
        let train = found.partition.first { $0.kind == "local_train" }
        #expect(train.map { $0.endNanoseconds } == 400)
        #expect(train?.attributes["closed_by"] == "connection_closed")
        #expect(found.partition.first { $0.kind == "poll_out" }?.attributes["note"] == "after_abort")
    }

    @Test func aConnectionThatClosedBeforeTheSourceSpokeAgainIsNoSignOfDeath() {
        var client = Process("2-b")
        let span = client.begin("local_train", at: 130)
        client.add(.heartbeat, at: 500)
        _ = span
        let found = phases([client], extent: 100..<600, closings: [client.source: 400])
        #expect(kinds(found.partition) == ["idle 100-130", "local_train 130-600"])
        #expect(found.partition.last?.attributes["closed_by"] == "observation_end")
    }

    @Test func aDownloadWithoutEndIsCutByTheNextOne() {
        var node = Process("1-a")
        _ = node.begin("model_download", at: 100)
        node.span("model_download", 300..<310)
        let found = phases([node])
        #expect(found.partition.map(\.kind) == ["model_download", "model_download"])
        #expect(found.partition.first?.attributes["closed_by"] == "next_model_download")
    }

    @Test func aClientThatNeverEnteredItsFunctionDoesNotStealTheNextOnesStart() {
        var node = Process("1-a")
        node.span("model_download", 100..<110)
        node.span("model_download", 300..<310)
        node.span("model_upload", 400..<410)
        var client = Process("2-b")
        client.span("local_train", 330..<390)
        let found = phases([node, client])
        let starts = found.partition.filter { $0.kind == "app_start" }
        #expect(kinds(starts) == ["app_start 110-300", "app_start 310-330"])
        #expect(starts.map(\.origin) == [.aborted, .derived])
    }

    @Test func betweenTwoRunsANodeIsIdleAndWithinOneItAwaitsWork() {
        var node = Process("1-a")
        node.span("model_download", 0..<10, attributes: ["run_id": .unsigned(.max)])
        node.span("model_upload", 20..<30, attributes: ["run_id": .unsigned(.max)])
        node.span("model_download", 50..<60, attributes: ["run_id": .integer(5)])
        node.span("model_upload", 70..<80, attributes: ["run_id": .integer(5)])
        let found = phases([node])
        #expect(found.partition.contains { $0.kind == "idle" && $0.beginNanoseconds == 30 })
        #expect(!found.partition.contains { $0.kind == "await_work" })
    }

    @Test func theCoordinatorsRunTakesWhatItsOwnPhasesLeave() {
        var server = Process("9-z")
        let run = server.begin("run", at: 10)
        server.span("configure_train", 20..<21, round: 1)
        server.span("distribute", 21..<30, round: 1)
        server.add(.mark(.init(edge: .point, phase: "collect")), at: 60)
        server.span("aggregate_train", 61..<63, round: 1)
        server.end("run", span: run, at: 90)
        let found = phases([server], extent: 0..<100)
        #expect(
            kinds(found.partition) == [
                "idle 0-10", "run 10-20", "configure_train 20-21", "distribute 21-30", "run 30-61",
                "aggregate_train 61-63", "run 63-90", "idle 90-100",
            ])
        #expect(found.points.count == 1)
        #expect(kinds(found.envelopes) == ["run 10-90"])
        #expect(found.remarks.isEmpty)
    }

    @Test func missingNetworkMarksAreToldNotGuessed() {
        var client = Process("2-b")
        client.span("local_train", 10..<20)
        client.span("evaluate", 50..<60)
        let found = phases([client], extent: 0..<70)
        #expect(
            kinds(found.partition) == [
                "idle 0-10", "local_train 10-20", "await_work 20-50", "evaluate 50-60", "idle 60-70",
            ])
        #expect(found.remarks.count == 1)
    }

    @Test func aUsersOwnPhaseOutsideOfWorkIsAPhase() {
        var client = Process("2-b")
        let outer = client.begin("preprocess", at: 10)
        client.span("load", 10..<15)
        client.end("preprocess", span: outer, at: 20)
        let found = phases([client])
        #expect(kinds(found.partition) == ["preprocess 10-20"])
        #expect(kinds(found.nested) == ["load 10-15"])
    }

    @Test func endsWithoutBeginAreNamed() {
        var client = Process("2-b")
        client.end("local_train", span: 8, at: 40)
        let found = phases([client], extent: 0..<50)
        #expect(found.unpaired.map(\.lack) == [.begin])
        #expect(kinds(found.partition) == ["idle 0-50"])
    }

    @Test func bootsAreJoinedOnTheHostClockWithoutHoles() {
        var before = Process("1-a")
        _ = before.begin("local_train", at: 1_000)
        var after = Process("2-b", boot: "ffff00001111")
        after.span("local_train", 20..<40)
        let first = NodePhases(
            TimeLineRecord(
                timeLine: before.source.timeLine, events: before.events, extent: 900..<1_100, endedByReboot: true))
        let second = NodePhases(TimeLineRecord(timeLine: after.source.timeLine, events: after.events, extent: 10..<50))
        let joined = HostPhases.join(
            [second.mapped { $0 + 600 }, first.mapped { $0 - 500 }], node: "edge-0", over: 0..<1_000)
        #expect(
            kinds(joined) == [
                "idle 0-400", "idle 400-500", "local_train 500-600", "idle 600-610", "idle 610-620",
                "local_train 620-640", "idle 640-650", "idle 650-1000",
            ])
        #expect(joined[2].attributes["closed_by"] == "new_boot")
        #expect(joined[3].attributes["note"] == "not_observed")
    }
}
