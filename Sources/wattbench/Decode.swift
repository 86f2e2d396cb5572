import ArgumentParser
import Foundation
import MeterProtocol

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decodes recorded USB traffic of a meter into tables and a summary.",
        discussion: """
            Reads a capture (CSV, one USB transfer a line) and writes adc.csv, queue.csv, pd.csv and log.csv, each only \
            where the capture has such data, and summary.json with the count of missing samples by the meter's own clock.
            Example: wattbench decode capture.csv -o decoded
            """
    )

    @Argument(help: "Capture file.")
    var capture: String

    @Option(name: [.short, .customLong("output")], help: "Folder for the results; made if it is not there.")
    var output: String

    @Flag(help: "Also write packets.csv: what every row of the capture is.")
    var packets = false

    @Flag(help: "Print the summary as JSON.")
    var json = false

    func run() throws {
        let report: CaptureReport
        do {
            let bytes = try [UInt8](Data(contentsOf: URL(filePath: capture)))
            report = CaptureReport(rows: try CaptureFile(decoding: bytes, name: capture).rows)
        } catch let failure as CaptureFailure {
            throw ExitFailure(.badInput, "\(failure)")
        } catch {
            throw ExitFailure(.badInput, "\(capture): cannot be read: \(error.localizedDescription)")
        }
        let files = report.files(includingPackets: packets)
        do {
            try write(files, into: URL(filePath: output, directoryHint: .isDirectory))
        } catch {
            throw ExitFailure(.badInput, "\(output): cannot be written: \(error.localizedDescription)")
        }
        for note in report.decoder.notes {
            FileHandle.standardError.write(Data("\(capture): \(note)\n".utf8))
        }
        print(json ? report.summary : report.overview + files.map { "\n  \(output)/\($0.name)" }.joined())
    }

    /// Each file appears under its name only when it is whole; a table of an earlier run that this capture lacks goes.
    private func write(_ files: [(name: String, text: String)], into folder: URL) throws {
        let manager = FileManager.default
        try manager.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in files {
            let partial = folder.appending(path: name + ".partial")
            try Data(text.utf8).write(to: partial)
            _ = try manager.replaceItemAt(folder.appending(path: name), withItemAt: partial)
        }
        let written = Set(files.map(\.name))
        for name in CaptureReport.tableNames where !written.contains(name) {
            let stale = folder.appending(path: name)
            if manager.fileExists(atPath: stale.path) { try manager.removeItem(at: stale) }
        }
    }
}
