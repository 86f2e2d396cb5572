import PhaseLink
import Testing

@testable import MarkerServer

@Suite struct ClockScheduleTests {
    private let boot = TimeLine(node: "edge-0", boot: "b0")

    private func event(_ edge: MarkerEvent.Edge, _ kind: String, _ source: String, span: Int64 = 1) -> MarkerEvent {
        MarkerEvent(
            identity: MarkerIdentity(source: SourceIdentity(timeLine: boot, source: source), sequence: 1),
            monoNanoseconds: 0, body: .mark(.init(edge: edge, phase: kind, span: span)))
    }

    @Test func aNodeIsAskedAtOnceThenEveryIntervalWhileItIsQuiet() {
        var schedule = ClockSchedule(interval: 30)
        #expect(schedule.due(at: 0) == [])
        schedule.add(boot)
        #expect(schedule.due(at: 5) == [boot])
        #expect(schedule.due(at: 34) == [])
        schedule.note(event(.begin, "model_upload", "1-a"))
        #expect(schedule.due(at: 40) == [])
        #expect(!schedule.isQuiet("edge-0"))
        schedule.note(event(.end, "model_upload", "1-a"))
        #expect(schedule.due(at: 41) == [boot])
        #expect(schedule.due(at: 42, all: true) == [boot])
    }

    @Test func envelopesDoNotCountAsPhases() {
        var schedule = ClockSchedule(interval: 30)
        schedule.add(boot)
        schedule.note(event(.begin, "app_wait", "1-a"))
        schedule.note(event(.begin, "run", "1-a"))
        #expect(schedule.isQuiet("edge-0"))
    }

    @Test func aKilledClientDoesNotSilenceTheClockForEver() {
        for sign in 0..<3 {
            var schedule = ClockSchedule(interval: 30)
            schedule.add(boot)
            schedule.note(event(.begin, "local_train", "2-b"))
            #expect(!schedule.isQuiet("edge-0"))
            switch sign {
            case 0: schedule.note(closed: SourceIdentity(timeLine: boot, source: "2-b"))
            case 1:
                schedule.note(event(.begin, "model_download", "1-a"))
                schedule.note(event(.end, "model_download", "1-a"))
            default: schedule.add(TimeLine(node: "edge-0", boot: "b1"))
            }
            #expect(schedule.isQuiet("edge-0"))
        }
    }
}
