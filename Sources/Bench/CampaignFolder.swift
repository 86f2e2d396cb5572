import Foundation
package import Traces

/// Why a campaign folder could not be made or read.
package enum FolderFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case exists(String)
    case cannotWrite(String, reason: String)

    package var description: String {
        switch self {
        case .exists(let path):
            "\(path) exists already and nothing in it is overwritten. Choose another folder, or move this one away."
        case .cannotWrite(let path, let reason): "\(path): \(reason)"
        }
    }
}

/// The folder of one campaign: its plan, its runs, its events, its summary.
package struct CampaignFolder: Sendable {
    package let path: String

    /// Makes a new folder with copies of both files. - Throws: `FolderFailure`.
    package init(creating path: String, campaignText: String, benchText: String) throws(FolderFailure) {
        self.path = path
        if FileManager.default.fileExists(atPath: path) { throw .exists(path) }
        do {
            try FileManager.default.createDirectory(atPath: runsPath, withIntermediateDirectories: true)
        } catch {
            throw .cannotWrite(path, reason: error.localizedDescription)
        }
        try write(campaignText, to: "campaign.effective.yaml")
        try write(benchText, to: "bench.yaml")
    }

    package init(opening path: String) { self.path = path }

    package var runsPath: String { path + "/runs" }
    package var truthPath: String { path + "/truth" }
    package func runPath(_ number: Int) -> String {
        let digits = String(number)
        return "\(runsPath)/run-\(String(repeating: "0", count: max(0, 3 - digits.count)))\(digits).wbrun"
    }

    /// Run files in order.
    package var runs: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: runsPath)) ?? []).filter { $0.hasSuffix(".wbrun") }
            .sorted().map { runsPath + "/" + $0 }
    }

    /// Writes a file whole or not at all.
    package func write(_ text: String, to name: String) throws(FolderFailure) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name), options: .atomic)
        } catch {
            throw .cannotWrite(path + "/" + name, reason: error.localizedDescription)
        }
    }

    /// Adds one line to `events.jsonl`; a line is whole or absent.
    package func append(_ event: RunEvent) throws(FolderFailure) {
        struct Line: Encodable {
            var atNs: Int64
            var severity: String
            var source: String
            var kind: String
            var text: String
        }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys]
        let name = path + "/events.jsonl"
        do {
            var bytes = try encoder.encode(
                Line(
                    atNs: event.atNanoseconds, severity: event.severity.rawValue, source: event.source,
                    kind: event.kind,
                    text: event.text))
            bytes.append(UInt8(ascii: "\n"))
            let descriptor = open(name, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            guard descriptor >= 0 else {
                throw FolderFailure.cannotWrite(name, reason: String(cString: strerror(errno)))
            }
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            defer { try? handle.close() }
            try handle.write(contentsOf: bytes)
            try handle.synchronize()
        } catch let failure as FolderFailure {
            throw failure
        } catch {
            throw .cannotWrite(name, reason: error.localizedDescription)
        }
    }
}
