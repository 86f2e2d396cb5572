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
        guard let content = FileManager.default.contents(atPath: capture) else {
            throw ExitFailure(.badInput, "\(capture): cannot be read: is it there, a file, and readable?")
        }
        do {
            report = CaptureReport(rows: try CaptureFile(decoding: [UInt8](content), name: capture).rows)
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
        let files = report.files(includingPackets: packets)
        try write(files, into: URL(filePath: output, directoryHint: .isDirectory))
        for note in report.decoder.notes {
            FileHandle.standardError.write(Data("\(capture): \(note)\n".utf8))
        }
        print(json ? report.summary : report.overview + files.map { "\n  \(output)/\($0.name)" }.joined())
    }

    /// The files appear under their names only when all of them are whole; a table of an earlier run that this capture
    /// does not have goes away.
    private func write(_ files: [(name: String, text: String)], into folder: URL) throws {
        let manager = FileManager.default
        do {
            try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in files {
                try Data(text.utf8).write(to: folder.appending(path: name + ".partial"))
            }
        } catch {
            throw ExitFailure(.badInput, "\(output): cannot be written: \(error.localizedDescription)")
        }
        for (name, _) in files {
            let (partial, whole) = (folder.appending(path: name + ".partial"), folder.appending(path: name))
            guard rename(partial.path, whole.path) == 0 else {
                throw ExitFailure(.badInput, "\(whole.path): cannot be written: \(String(cString: strerror(errno)))")
            }
        }
        let written = Set(files.map(\.name))
        for name in CaptureReport.tableNames where !written.contains(name) {
            try? manager.removeItem(at: folder.appending(path: name))
        }
    }
}
