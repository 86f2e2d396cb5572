/// What a virtual bench consists of. Small enough to write by hand; everything else is drawn from the seed.
package struct BenchDescription: Codable, Sendable, Equatable {
    /// Boards, each with one meter and one node.
    package var boards = 10
    package var seed: UInt64 = 1
    package var clock = ClockMode.real
    package var model = EmulatedModel.km003c
    /// Boards, meters and clocks without spread or error: for tests and teaching.
    package var isIdeal = false
    package var initialState = PowerState.running
    /// What the nodes play, `scheduleDelaySeconds` after the bench starts; nil = idle until told.
    package var schedule: FedAvgSchedule?
    package var scheduleDelaySeconds = 2.0
    package var metersPerHub = 4
    package var faults: [Fault] = []
    /// Keep the truth of every single sample (20 bytes and more each): for the `samples` truth file.
    package var recordsSamples = false

    package init() {}

    package init(boards: Int, seed: UInt64, clock: ClockMode) {
        self.boards = boards
        self.seed = seed
        self.clock = clock
    }

    /// Names used throughout: boards `pi01`…, nodes `edge-1`…, meters `VB0001`….
    package static func boardName(_ index: Int) -> String { "pi" + padded(index + 1, 2) }
    package static func nodeName(_ index: Int) -> String { "edge-\(index + 1)" }
    /// No real meter has letters in its serial.
    package static func serial(_ index: Int) -> String { "VB" + padded(index + 1, 4) }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
