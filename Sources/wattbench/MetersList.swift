import ArgumentParser
import Foundation
import MeterDriver

struct MetersList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the meters that are plugged in, whether each can be used, and how to mend it if not.",
        discussion: """
            Each meter is present, forbidden, busy or (with --meter) absent. Exit code 3 unless every meter is present.
            Example: wattbench meters list --json
            """
    )

    @Option(name: .customLong("meter"), help: "Serial or port of a meter that should be there; may be repeated.")
    var wanted: [String] = []

    @OptionGroup var devices: DeviceOptions

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let bus: LibUSBBus
        let survey: [SurveyedDevice]
        do {
            bus = try LibUSBBus(rules: try devices.rules())
            survey = try bus.survey()
        } catch let failure as DriverFailure {
            throw ExitFailure(.benchNotReady, "\(failure)")
        }
        let listing = MeterListing(survey: survey, wanted: wanted)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(listing), as: UTF8.self))
        } else {
            print(listing.text)
        }
        if !listing.isReady { throw ExitCode(ExitStatus.benchNotReady.rawValue) }
    }
}

/// Which USB devices count as meters, for every verb that touches them.
struct DeviceOptions: ParsableArguments {
    @Option(
        name: .customLong("usb-id"),
        help: "Another vendor (5fc9) or vendor:product (5fc9:0063), in hex, to treat as a meter; may be repeated.")
    var ids: [String] = []

    func rules() throws -> DeviceRules {
        do {
            return try DeviceRules(extra: ids)
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
    }
}
