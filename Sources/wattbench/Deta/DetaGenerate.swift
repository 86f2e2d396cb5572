import ArgumentParser
import DETA
import Foundation

struct DetaGenerate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Makes a synthetic instance from a seed, for trials and benchmarks.",
        discussion: "Example: wattbench deta generate --servers 100 --slots 24 --seed 1 -o trial.json.gz")

    @Option(help: "Number of servers.") var servers = 10
    @Option(help: "Number of slots.") var slots = 24
    @Option(help: "Hours a slot.") var slotHours = 1.0
    @Option(help: "Slots between barriers, 0 for none.") var roundSlots = 12
    @Option(help: "Arrivals as a share of capacity.") var busyShare = 0.4
    @Option(help: "Harvest as a share of the always-awake load.") var harvestRatio = 0.3
    @Option(help: "Battery, Wh, 0 for none.") var batteryWh = 10.0
    @Option(help: "slot, cumulative or horizon.") var capBasis = "slot"
    @Option(help: "Seed.") var seed: UInt64 = 1
    @Option(name: .shortAndLong, help: "Instance file; compressed if it ends in .gz.") var output: String

    func run() async throws {
        guard servers >= 1, slots >= 1, slotHours > 0, roundSlots >= 0, (0...1).contains(busyShare),
            harvestRatio >= 0, batteryWh >= 0, let basis = CapBasis(rawValue: capBasis)
        else { throw ValidationError("sizes must be at least 1, shares from 0 to 1, amounts not negative") }
        var generator = InstanceGenerator()
        generator.servers = servers
        generator.slots = slots
        generator.slotHours = slotHours
        generator.roundSlots = roundSlots
        generator.busyShare = busyShare
        generator.harvestRatio = harvestRatio
        generator.batteryWh = batteryWh
        generator.basis = basis
        try TextFile.write(generator.instance(seed: seed).json(), to: output)
    }
}
