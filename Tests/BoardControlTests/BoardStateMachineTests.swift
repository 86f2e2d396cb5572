import Testing

@testable import BoardControl

@Suite struct BoardStateMachineTests {
    static let window: Int64 = 250_000_000
    static let second: Int64 = 1_000_000_000

    static func procedure(supplySwitch: Bool = false) -> BoardProcedure {
        BoardProcedure(
            board: "pi01", target: .off, hasShutdownRequest: true, wakeRole: .globalEnable,
            hasSupplySwitch: supplySwitch,
            shutdownPulseNanoseconds: 300_000_000, wakePulseNanoseconds: 100_000_000)
    }

    /// Feeds windows of constant power until `seconds` have passed.
    static func feed(
        _ machine: inout BoardStateMachine, watts: Double, seconds: Double, now: inout Int64
    ) -> [BoardStateMachine.Action] {
        var actions: [BoardStateMachine.Action] = []
        for _ in 0..<Int(seconds * 4) {
            now += window
            actions += machine.handle(.power(watts: watts, windowNanoseconds: window), atNanoseconds: now)
        }
        return actions
    }

    @Test func sleepIsConfirmedByThePlateauAndNotByTheCommand() throws {
        var machine = BoardStateMachine(procedure: Self.procedure())
        var now: Int64 = 0
        _ = machine.handle(.nodeReady, atNanoseconds: now)
        #expect(machine.handle(.sleep, atNanoseconds: now) == [.assert(.shutdownRequest)])
        #expect(Self.feed(&machine, watts: 2.9, seconds: 6, now: &now) == [.release(.shutdownRequest)])
        #expect(machine.state == .shuttingDown)
        // The first dip is the reset before the bootloader's bump, too short to be a plateau.
        #expect(Self.feed(&machine, watts: 0.3, seconds: 0.5, now: &now).isEmpty)
        #expect(Self.feed(&machine, watts: 2.4, seconds: 1, now: &now).isEmpty)
        let actions = Self.feed(&machine, watts: 0.17, seconds: 4, now: &now)
        guard case .arrived(let transition)? = actions.first else {
            Issue.record("no arrival: \(actions)")
            return
        }
        #expect(machine.state == .off)
        #expect(transition.to == .off)
        #expect(transition.arrivedAtNanoseconds == 7 * Self.second + Self.second / 2)
        #expect(abs(transition.plateauWatts - 0.17) < 1e-9)
        #expect(abs(transition.energyJoules - (2.9 * 6 + 0.3 * 0.5 + 2.4 + 0.17 * 2)) < 1e-9)
    }

    @Test func aWrongHaltIsReportedWithWhatTheMeterShows() {
        var machine = BoardStateMachine(procedure: Self.procedure())
        var now: Int64 = 0
        _ = machine.handle(.sleep, atNanoseconds: now)
        let actions = Self.feed(&machine, watts: 1.5, seconds: 70, now: &now)
        guard case .failed(let text)? = actions.last else {
            Issue.record("no failure: \(actions)")
            return
        }
        #expect(text.contains("1500 mW") && text.contains("'halt'"))
        #expect(machine.state == .halt)
    }

    @Test func wakeNeedsPowerAndHello() {
        var machine = Self.asleep()
        var now: Int64 = 100 * Self.second
        #expect(machine.handle(.wake, atNanoseconds: now) == [.assert(.globalEnable)])
        #expect(Self.feed(&machine, watts: 0.17, seconds: 1, now: &now) == [.release(.globalEnable)])
        let early = machine.handle(.nodeReady, atNanoseconds: now)
        #expect(machine.state == .booting && early.count == 1)
        _ = Self.feed(&machine, watts: 3.4, seconds: 10, now: &now)
        let actions = machine.handle(.nodeReady, atNanoseconds: now)
        guard case .arrived(let transition)? = actions.first else {
            Issue.record("no arrival: \(actions)")
            return
        }
        #expect(transition.railAtNanoseconds == 101 * Self.second)
        #expect(transition.from == .off && transition.to == .ready && transition.attempts == 1)
    }

    @Test func aBoardThatDoesNotWakeIsRetriedThenPowerCycledThenReported() {
        var machine = Self.asleep(supplySwitch: true)
        var now: Int64 = 100 * Self.second
        var actions = machine.handle(.wake, atNanoseconds: now)
        actions += Self.feed(&machine, watts: 0.17, seconds: 3 * 121, now: &now)
        #expect(actions.count { $0 == .assert(.globalEnable) } == 3)
        #expect(actions.contains(.release(.supplySwitch)))
        actions = Self.feed(&machine, watts: 0.0, seconds: 130, now: &now)
        #expect(actions.contains(.assert(.supplySwitch)))
        guard case .failed(let text)? = actions.last else {
            Issue.record("no failure: \(actions)")
            return
        }
        #expect(text.contains("4 attempts"))
        #expect(machine.state == .unknown)
    }

    @Test func aBoardWithoutWiringSaysWhichLineIsMissing() {
        var procedure = Self.procedure()
        procedure.hasShutdownRequest = false
        var machine = BoardStateMachine(procedure: procedure)
        guard case .failed(let text)? = machine.handle(.sleep, atNanoseconds: 0).first else {
            Issue.record("no failure")
            return
        }
        #expect(text.contains("shutdown_request"))
    }

    private static func asleep(supplySwitch: Bool = false) -> BoardStateMachine {
        var machine = BoardStateMachine(procedure: procedure(supplySwitch: supplySwitch))
        var now: Int64 = 0
        _ = machine.handle(.sleep, atNanoseconds: now)
        _ = feed(&machine, watts: 0.17, seconds: 5, now: &now)
        return machine
    }
}
