import ArgumentParser
import Foundation
import RunStore
import RunView
import TraceExport

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a run, or a part of it, in a format that other programs read.",
        discussion: """
            Values are raw: no certificate is applied. Gaps stay gaps, clocks and certificates are stated in every format.
            Example: wattbench export run.wbrun --format csv -o exported --from 10s --to 1m --meter 007965
            """
    )

    @Argument(help: ArgumentHelp("A run file (.wbrun).", valueName: "run"))
    var file: String

    @Option(help: ArgumentHelp("One of \(Exporters.names.joined(separator: ", ")).", valueName: "format"))
    var format: String

    @Option(name: [.short, .customLong("output")], help: "Folder to write into; made if it is not there.")
    var output: String

    @Option(help: "Begin after the first sample of the run, such as 90, 90s, 1.5m, 2h, 250ms.")
    var from: String?

    @Option(help: "End after the first sample of the run; not included.")
    var to: String?

    @Option(name: .customLong("meter"), help: "Serial of a meter; may be repeated. Without it: all.")
    var meters: [String] = []

    @Option(help: "Samples joined to one point (firefox, perfetto); energy stays exact.")
    var decimate = 1

    @Option(name: .customLong("intensity"), help: "Carbon intensity shown by viewers that can, g/kWh.")
    var gramsPerKilowattHour: Double?

    @Flag(help: "Replace files that are there.")
    var overwrite = false

    @Flag(help: "Say what would be exported and write nothing.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if decimate < 1 { throw ValidationError("--decimate must be 1 or more.") }
    }

    func run() throws {
        let order = ExportOrder(
            run: file, format: format, folder: output,
            selection: RunSelection(
                meters: meters, fromNanoseconds: try from.map(DurationText.nanoseconds),
                toNanoseconds: try to.map(DurationText.nanoseconds)),
            options: ExportOptions(
                overwrite: overwrite, decimation: decimate, gramsPerKilowattHour: gramsPerKilowattHour))
        let progress = FractionProgress(verb: "export")
        let result = dryRun ? try order.plan() : try order.execute(progress: progress.update)
        progress.end()
        for remark in result.remarks { FileHandle.standardError.write(Data("note: \(remark)\n".utf8)) }
        print(json ? try PrintedJSON.of(result) : result.text)
    }
}

/// Lengths of time as people write them.
enum DurationText {
    static func nanoseconds(_ text: String) throws -> Int64 {
        let units: [(String, Double)] = [
            ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86400e9), ("", 1e9),
        ]
        for (unit, factor) in units where text.hasSuffix(unit) {
            guard let value = Double(text.dropLast(unit.count)), value.isFinite, value >= 0, value * factor < 9e18
            else {
                break
            }
            return Int64((value * factor).rounded())
        }
        throw ExitFailure(.badInput, "'\(text)' is no length of time: write such as 90, 90s, 1.5m, 2h or 250ms.")
    }
}

/// A line on stderr that shows how far a long step is and how long it will take; silent for what is quick.
final class FractionProgress {
    private let verb: String
    private let begin = ContinuousClock.now
    private var shown: ContinuousClock.Instant?
    private let isTerminal = isatty(2) == 1

    init(verb: String) { self.verb = verb }

    /// Tells the fraction done, 0 to 1.
    func update(_ fraction: Double) {
        let now = ContinuousClock.now
        let passed = now - begin
        guard passed > .seconds(2), shown.map({ now - $0 > .seconds(isTerminal ? 1 : 10) }) ?? true, fraction > 0 else {
            return
        }
        shown = now
        let seconds = Double(passed.components.seconds) + Double(passed.components.attoseconds) * 1e-18
        let left = Int((seconds / fraction * (1 - fraction)).rounded())
        let text = "\(verb): \(Int(fraction * 100)) %, about \(left) s left"
        FileHandle.standardError.write(Data((isTerminal ? "\r\(text)   " : "\(text)\n").utf8))
    }

    func end() {
        if isTerminal, shown != nil { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
