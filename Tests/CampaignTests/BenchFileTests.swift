import Testing

@testable import Campaign

@Suite struct BenchFileTests {
    static let good = """
        wattbench: 1
        name: demo
        virtual: {seed: 7}
        boards:
          - name: pi01
            node: edge-0
            meter: VB0001
            region: CISO
            carbon_g_per_kwh: 240
            lines:
              - {role: global_en, chip: gpiochip0, offset: 0}
            battery: {capacity_wh: 10, max_charge_w: 5, max_discharge_w: 5}
          - name: pi02
            meter: VB0002
            region: BPAT
            current_sign: -1

        """

    @Test func readsABenchWithDefaults() throws {
        let bench = try BenchFile(yaml: Self.good, file: "bench.yaml")
        #expect(bench.boards.map(\.node) == ["edge-0", "pi02"])
        #expect(bench.boards[1].currentSign == -1)
        #expect(bench.boards[0].lines.first?.activeLow == true)
        #expect(bench.boards[0].battery?.initialWattHours == 0)
        #expect(bench.pollMilliseconds == 25)
        #expect(bench.virtualSeed == 7)
    }

    @Test(arguments: [
        ("metr: VB0003\n", "meter: VB0001\n", "bench.yaml:7: boards[0].metr", "did you mean 'meter'"),
        ("current_sign: 0\n", "current_sign: -1\n", "bench.yaml:16: boards[1].current_sign", "must be 1 or -1"),
        ("meter: VB0001\n", "meter: VB0002\n", "boards", "two boards have the meter 'VB0001'"),
        (
            "carbon_g_per_kwh: many\n", "carbon_g_per_kwh: 240\n", "bench.yaml:9: boards[0].carbon_g_per_kwh",
            "must be a number"
        ),
        ("wattbench: 2\n", "wattbench: 1\n", "bench.yaml:1: wattbench", "reads format 1"),
        ("name: demo\nname: again\n", "name: demo\n", "bench.yaml:", "duplicated key(s): 'name'"),
        ("virtual: [\n", "virtual: {seed: 7}\n", "bench.yaml:", "not valid YAML"),
    ])
    func mistakesAreNamedWithFileLineAndKey(wrong: String, right: String, place: String, reason: String) throws {
        let text = Self.good.replacing(right, with: wrong, maxReplacements: 1)
        let error = try #require(throws: SettingsError.self) { try BenchFile(yaml: text, file: "bench.yaml") }
        #expect("\(error)".contains(place), "\(error)")
        #expect("\(error)".contains(reason), "\(error)")
    }

    @Test func mutatedFilesNeverCrash() {
        var generator = SystemRandomNumberGenerator()
        let letters = Array(Self.good)
        for _ in 0..<300 {
            var text = letters
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                text[Int.random(in: 0..<text.count, using: &generator)] = "{}[]:,-\n \"0&*!".randomElement() ?? " "
            }
            _ = try? BenchFile(yaml: String(text), file: "bench.yaml")
        }
    }

    @Test func distanceCountsLetters() {
        #expect(SettingsNode.editDistance("meter", "metr") == 1)
        #expect(SettingsNode.editDistance("", "abc") == 3)
        #expect(SettingsNode.editDistance("same", "same") == 0)
    }
}
