import Synchronization
import Testing
import Traces

@testable import BoardControl

/// Lines that remember what was asked of them; the board behind is played by the test.
final class RecordingLines: GPIOLines {
    let history = Mutex<[String]>([])
    let broken: Bool
    init(broken: Bool = false) { self.broken = broken }
    func request(_ lines: [LineRequest], consumer: String) throws(GPIOFailure) {}
    func set(_ address: LineAddress, asserted: Bool) throws(GPIOFailure) {
        if broken { throw .system(address, errno: 5) }
        history.withLock { $0.append("\(address.offset)=\(asserted)") }
    }
    func isAsserted(_ address: LineAddress) throws(GPIOFailure) -> Bool { false }
    func release() {}
}

@Suite struct BoardControllerTests {
    static let addresses: [LineRole: LineAddress] = [
        .shutdownRequest: LineAddress(chip: "c", offset: 1), .globalEnable: LineAddress(chip: "c", offset: 2),
    ]

    @Test func aSleepEndsWhenTheTraceProvesIt() async throws {
        let lines = RecordingLines()
        let controller = BoardController(
            procedure: BoardStateMachineTests.procedure(), lines: lines, addresses: Self.addresses, note: { _ in })
        let sleeping = Task { try await controller.sleep(atNanoseconds: 0) }
        while await controller.state != .shuttingDown { await Task.yield() }
        for window in 1...40 {
            await controller.hear(
                watts: 0.17, windowNanoseconds: 250_000_000, atNanoseconds: Int64(window) * 250_000_000)
        }
        #expect(try await sleeping.value.to == .off)
        #expect(lines.history.withLock { $0 } == ["1=true", "1=false"])
    }

    @Test func aBrokenLineIsTold() async throws {
        let controller = BoardController(
            procedure: BoardStateMachineTests.procedure(), lines: RecordingLines(broken: true),
            addresses: Self.addresses,
            note: { _ in })
        await #expect(throws: BoardFailure.line(.system(LineAddress(chip: "c", offset: 1), errno: 5))) {
            try await controller.sleep(atNanoseconds: 0)
        }
    }
}
