import ArgumentParser
import Bench
import BoardControl
import Campaign
import Foundation
import MeterDriver
import VirtualBench

struct CampaignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "campaign",
        abstract: "Checks and runs a planned series of runs.",
        subcommands: [CampaignCheck.self, CampaignRunCommand.self]
    )
}

/// The two files that every campaign verb reads.
struct CampaignFiles: ParsableArguments {
    @Argument(help: "The plan: campaign.yaml.")
    var campaign: String

    @Option(help: "The bench: bench.yaml.")
    var bench: String

    func read() throws -> (campaign: CampaignFile, bench: BenchFile, texts: (campaign: String, bench: String)) {
        let campaignText = try Self.text(campaign)
        let benchText = try Self.text(bench)
        do throws(SettingsError) {
            let plan = try CampaignFile(yaml: campaignText, file: campaign)
            let parsedBench = try BenchFile(yaml: benchText, file: bench)
            return (plan, parsedBench, (campaignText, benchText))
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
    }

    static func text(_ path: String) throws(ExitFailure) -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ExitFailure(.badInput, "\(path): cannot be read (\(error.localizedDescription))")
        }
    }
}

struct CampaignCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Judges a plan against its bench, without touching anything.",
        discussion: """
            Example:
              wattbench campaign check calibration/first-light/campaign.yaml --bench calibration/first-light/bench.yaml
            """
    )

    @OptionGroup var files: CampaignFiles
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let (campaign, bench, _) = try files.read()
        let estimate = CampaignEstimate(campaign, bench: bench)
        print(json ? try estimate.json() : estimate.text)
        if !estimate.mismatches.isEmpty {
            throw ExitFailure(.badInput, estimate.mismatches.joined(separator: "\n"))
        }
    }
}

struct CampaignRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a campaign: records, switches boards, starts the workload, leaves every board safe.",
        discussion: """
            Ctrl-C once ends the current step and leaves the boards in their safe state (exit 4); twice stops at once.

            Example, without any hardware:
              wattbench campaign run calibration/first-light/campaign.yaml \\
                --bench calibration/first-light/bench.yaml --emulate -o out/first-light
            """
    )

    @OptionGroup var files: CampaignFiles
    @Option(name: .shortAndLong, help: "Folder to create for the campaign.") var output: String
    @Flag(help: "Play the bench on the virtual bench instead of real meters and boards.") var emulate = false
    @Option(help: "Emulated meter model: KM001C, KM002C or KM003C.") var model = "KM001C"
    @Option(help: "Serve the live page on this loopback port while running (0: any free port).") var live: UInt16?
    @Flag(help: "Say what would be done, then stop.") var dryRun = false
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let (campaign, bench, texts) = try files.read()
        let estimate = CampaignEstimate(campaign, bench: bench)
        guard estimate.mismatches.isEmpty else {
            throw ExitFailure(.badInput, estimate.mismatches.joined(separator: "\n"))
        }
        if dryRun {
            print(json ? try estimate.json() : estimate.text)
            return
        }
        guard let emulatedModel = EmulatedModel(rawValue: model) else {
            throw ExitFailure(
                .badInput,
                "--model \(model): known are \(EmulatedModel.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let folder: CampaignFolder
        do throws(FolderFailure) {
            folder = try CampaignFolder(creating: output, campaignText: texts.campaign, benchText: texts.bench)
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
        let session = CampaignSession(campaign: campaign, bench: bench, folder: folder, livePort: live)
        let emulated = emulate ? EmulatedBench(bench, model: emulatedModel) : nil
        let result = try await session.run(emulated: emulated)
        print(json ? try result.json() : result.text)
        if result.wasInterrupted {
            throw ExitFailure(.interrupted, "interrupted; boards are in their safe state, data so far is in \(output)")
        }
        if !result.failures.isEmpty { throw ExitFailure(.ruleFailed, result.failures.joined(separator: "\n")) }
    }
}
