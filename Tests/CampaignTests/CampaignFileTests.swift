import Testing

@testable import Campaign

@Suite struct CampaignFileTests {
    static let good = """
        wattbench: 1
        name: first-light
        seed: 42
        stages:
          - {kind: baseline, seconds: 10}
          - kind: steps
            step_s: 6
            points:
              - {f_mhz: 600, cores: 0}
              - {f_mhz: 1500, cores: 4, tx_mbit_s: 100}
          - {kind: sleep, hold_s: 20, allowance_s: 30}
          - {kind: workload, rounds: 3, round_s: 20, batches_per_round: [20, 40, 80]}

        """

    @Test func readsStagesAndPlansTheirTime() throws {
        let campaign = try CampaignFile(yaml: Self.good, file: "campaign.yaml")
        #expect(campaign.stages.map(\.name) == ["baseline", "steps", "sleep", "workload"])
        #expect(campaign.plannedSeconds == 10 + 12 + 50 + 60)
        #expect(campaign.limits.socTemperatureCelsius == 80)
    }

    @Test(arguments: [
        ("kind: baselin", "kind: baseline", "did you mean 'baseline'"),
        ("f_mhz: 60", "f_mhz: 600", "must lie between 100"),
        ("hold_s: 20, hold: 3", "hold_s: 20", "did you mean 'hold_s'"),
        ("step_s: 1", "step_s: 6", "leaves nothing of the step"),
        ("batches_per_round: [20, x]", "batches_per_round: [20, 40, 80]", "'x' is not a positive whole number"),
    ])
    func mistakesAreExplained(wrong: String, right: String, reason: String) throws {
        let text = Self.good.replacing(right, with: wrong, maxReplacements: 1)
        let error = try #require(throws: SettingsError.self) { try CampaignFile(yaml: text, file: "campaign.yaml") }
        #expect("\(error)".contains(reason), "\(error)")
        #expect(error.line > 0)
    }

    @Test func aSleepStageNeedsWiredBoards() throws {
        let bench = try BenchFile(yaml: BenchFileTests.good, file: "bench.yaml")
        let campaign = try CampaignFile(yaml: Self.good, file: "campaign.yaml")
        #expect(campaign.mismatches(with: bench).count == 2)
        var wired = bench
        for index in wired.boards.indices {
            wired.boards[index].lines = [
                .init(role: "global_en", chip: "c", offset: 2 * index, activeLow: true),
                .init(role: "shutdown_request", chip: "c", offset: 2 * index + 1, activeLow: true),
            ]
        }
        #expect(campaign.mismatches(with: wired).isEmpty)
    }
}
