import Foundation
import Testing

@testable import DETA

@Suite struct InstanceReadingTests {
    static let text: String = {
        var generator = InstanceGenerator()
        generator.servers = 2
        generator.slots = 4
        generator.roundSlots = 2
        return String(decoding: generator.instance(seed: 1).json(), as: UTF8.self)
    }()

    @Test func writtenInstancesReadBackEqual() throws {
        for seed in UInt64(1)...5 {
            let instance = InstanceGenerator().instance(seed: seed)
            #expect(try Instance(json: instance.json()) == instance)
        }
    }

    /// What to change in a valid file, and the path and reason that must be named.
    static let mistakes: [(find: String, replace: String, path: String, reason: String)] = [
        (#""slot_hours":1"#, #""slot_hours":0"#, "slot_hours", "at least"),
        (#""slot_hours":1"#, #""slot_hours":NaN"#, "slot_hours", "NaN"),
        (#""slot_hours":1"#, #""slot_hour":1"#, "slot_hour", "did you mean \"slot_hours\""),
        (#""n_slots":4"#, #""n_slots":5"#, "carbon_g_per_kwh[0]", "must have 5 entries"),
        (#""n_slots":4"#, #""n_slots":4.5"#, "n_slots", "whole number"),
        (#""n_slots":4"#, #""n_slots":"4""#, "n_slots", "a text"),
        (#""schema":"deta-instance/1""#, #""schema":"deta-instance/2""#, "schema", "deta-instance/1"),
        (#""id":"s1""#, #""id":"s0""#, "servers[1]", "already that of servers[0]"),
        (#""wake_slot_fraction":"#, #""wake_slot_fraction":2"#, "servers[0].wake_slot_fraction", "one slot"),
        (#""p_idle_w":"#, #""p_idle_w":-"#, "servers[0].p_idle_w", "at least 0"),
        (#""initial_wh":0"#, #""initial_wh":1e6"#, "servers[0].battery.initial_wh", "more than capacity_wh"),
        (#""eta_charge":0.95"#, #""eta_charge":0"#, "servers[0].battery.eta_charge", "must be from"),
        (#""eta_charge":0.95"#, #""eta_charge":1.1"#, "servers[0].battery.eta_charge", "must be from"),
        (#""cap_basis":"slot""#, #""cap_basis":"day""#, "trade.cap_basis", "not one of"),
        (#""efficiency":0.9"#, #""efficiency":1.2"#, "trade.efficiency", "must be from 0 to 1"),
        (#""barriers":[1,3]"#, #""barriers":[1,4]"#, "barriers[1]", "from 0 to 3"),
        (#""barriers":[1,3]"#, #""barriers":[3,1]"#, "barriers[1]", "ascend"),
        (#""barriers":[1,3]"#, #""barriers":[1,1]"#, "barriers[1]", "ascend"),
        (#""grid_charging":false"#, #""grid_charging":0"#, "grid_charging", "true or false"),
        (#","grid_charging":false"#, "", "grid_charging", "missing"),
        (#""grid_charging":false"#, #""grid_charging":false,"grid_charging":true"#, "grid_charging", "twice"),
        (#""net_carbon_g_per_kwh":[300,"#, #""net_carbon_g_per_kwh":["#, "offload.net_carbon_g_per_kwh", "4 entries"),
        (
            #""net_carbon_g_per_kwh":[300,"#, #""net_carbon_g_per_kwh":[null,"#, "offload.net_carbon_g_per_kwh[0]",
            "null"
        ),
    ]

    @Test(arguments: mistakes.indices) func mistakesAreNamedWithTheirPlace(_ index: Int) throws {
        let mistake = Self.mistakes[index]
        let range = try #require(Self.text.range(of: mistake.find), "\(mistake.find)")
        let broken = Self.text.replacingCharacters(in: range, with: mistake.replace)
        do throws(DETAError) {
            _ = try Instance(json: Data(broken.utf8))
            Issue.record("accepted: \(mistake.replace)")
        } catch {
            guard case .invalid(let path, let reason) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(path == mistake.path)
            #expect(reason.contains(mistake.reason), "\(reason)")
        }
    }

    @Test func aHorizonThatCutsARoundIsRefused() throws {
        var instance = InstanceGenerator().instance(seed: 1).subset([0])
        instance.slots = 10
        instance.carbon.removeLast(14)
        instance.harvest.removeLast(14)
        instance.arrivals.removeLast(14)
        instance.offload.netCarbon.removeLast(14)
        instance.barriers = [3, 7]
        #expect(throws: DETAError.self) { try Instance(json: instance.json()) }
        instance.barriers = [3, 7, 9]
        #expect(try Instance(json: instance.json()).rounds == [0..<4, 4..<8, 8..<10])
    }

    @Test func gzipFilesAreReadAndWritten() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("fleet.json.gz").path
        try TextFile.write(Data(Self.text.utf8), to: path)
        let packed = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(packed.count < Self.text.utf8.count)
        #expect(try Instance(file: path).json() == Data(Self.text.utf8))
        try packed.dropLast(10).write(to: URL(fileURLWithPath: path))
        #expect(throws: DETAError.self) { try Instance(file: path) }
        #expect(throws: DETAError.file(path: "/nowhere/x.json", reason: "there is no such file")) {
            try Instance(file: "/nowhere/x.json")
        }
    }

    @Test func damagedFilesNeverCrashTheReader() {
        var random = SplitMix64(seed: 3)
        let bytes = Array(Self.text.utf8)
        for _ in 0..<300 {
            var broken = bytes
            for _ in 0..<3 {
                broken[Int(random.next() % UInt64(broken.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            broken.removeLast(Int(random.next() % UInt64(broken.count / 2)))
            _ = try? Instance(json: Data(broken))
        }
    }
}
