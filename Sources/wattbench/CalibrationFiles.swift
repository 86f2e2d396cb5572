import Calibration
import Foundation
import Metrology

/// Files in and out for the verbs that fit models.
enum CalibrationFiles {
    static let software = "wattbench"

    static func bytes(_ path: String) throws(CalibrationError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
            throw .badInput(file: path, line: nil, reason: "cannot be read: \(reason)")
        }
    }

    static func table(_ path: String, _ bytes: [UInt8], required: [String]) throws(MetrologyError) -> DelimitedTable {
        try DelimitedTable(file: path, bytes: bytes, required: required)
    }

    /// Faults of the input end with exit code 2 and their own sentence.
    static func failure(_ error: any Error) -> any Error {
        switch error {
        case let error as CalibrationError: ExitFailure(.badInput, error.description)
        case let error as MetrologyError: ExitFailure(.badInput, error.description)
        default: error
        }
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func note(_ line: String) { FileHandle.standardError.write(Data("note: \(line)\n".utf8)) }

    /// Writes beside the target and renames, so that no half-written file ever bears the name.
    static func write(_ text: String, to path: String) throws {
        let partial = path + ".partial"
        do {
            try Data(text.utf8).write(to: URL(filePath: partial))
            guard rename(partial, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            unlink(partial)
            throw ExitFailure(.badInput, "\(path): cannot be written: \(error.localizedDescription)")
        }
    }

    /// Calendar day in UTC, `months` from now.
    static func day(monthsAhead months: Int = 0) -> String {
        let calendar = Calendar(identifier: .gregorian)
        let date = calendar.date(byAdding: .month, value: months, to: Date()) ?? Date()
        return date.formatted(.iso8601.year().month().day())
    }
}
