import GRDB

/// What can go wrong with a run file, each case a sentence for a technician.
package enum RunStoreError: Error, Sendable, Equatable {
    /// A run is never overwritten.
    case alreadyExists(path: String)
    case notFound(path: String)
    /// The folder or file may not be written or read by this user.
    case forbidden(path: String, reason: String)
    case cannotCreate(path: String, reason: String)
    /// The file is there, but it is no run file.
    case notARunFile(path: String, reason: String)
    case newerVersion(path: String, found: Int, supported: Int)
    case diskFull(path: String)
    case readOnly(path: String)
    /// Reading, writing or syncing failed below SQLite.
    case inputOutput(path: String, reason: String)
    /// SQLite found its own structure broken.
    case damaged(path: String, reason: String)
    /// Block number `number` (counted from 1 within the meter) in row `row` of table `block` fails its checks.
    case corruptBlock(path: String, meter: String, number: Int, row: Int64, reason: String)
    /// Row `row` of table `pyramid` fails its checks; the table can be rebuilt from the blocks.
    case corruptSummary(path: String, meter: String, row: Int64, reason: String)
    /// Another process records into this file.
    case inUse(path: String, processID: Int32)
    /// Samples came for a meter that was not registered with the writer.
    case unknownMeter(path: String, serial: String)
    /// The writer was finished already.
    case finished(path: String)
    /// SQLite refused for a reason not named above.
    case refused(path: String, reason: String)
}

extension RunStoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .alreadyExists(let path):
            "\(path) exists already and a run is never overwritten: give another name or move the old file away."
        case .notFound(let path):
            "No file at \(path): check the path."
        case .forbidden(let path, let reason):
            "\(path) may not be opened (\(reason)): check its permissions and those of its folder."
        case .cannotCreate(let path, let reason):
            "\(path) cannot be created (\(reason)): check that the folder exists and may be written."
        case .notARunFile(let path, let reason):
            "\(path) is not a run file: \(reason). Run files are made by `wattbench record` and end in .wbrun."
        case .newerVersion(let path, let found, let supported):
            "\(path) has run file version \(found), this program reads up to \(supported): use a newer wattbench."
        case .diskFull(let path):
            "No space left while writing \(path): everything committed before is intact. Free some space and start a new run."
        case .readOnly(let path):
            "\(path) is on a read-only file system or may not be written: choose another folder for the recording."
        case .inputOutput(let path, let reason):
            "Reading or writing \(path) failed (\(reason)): check the disk and its cable; what was committed before is kept."
        case .damaged(let path, let reason):
            "\(path) is damaged (\(reason)): keep a copy, then try `wattbench check` to see what can still be read."
        case .corruptBlock(let path, let meter, let number, let row, let reason):
            "Block \(number) of meter \(meter) in \(path) (table block, row \(row)) is corrupt: \(reason). Its samples count as missing."
        case .corruptSummary(let path, let meter, let row, let reason):
            "A summary of meter \(meter) in \(path) (table pyramid, row \(row)) is corrupt: \(reason). The samples are not affected."
        case .inUse(let path, let processID):
            "\(path) is being recorded by process \(processID): stop that recording first."
        case .unknownMeter(let path, let serial):
            "Samples of meter \(serial) came for \(path), but the meter was not registered with the run."
        case .finished(let path):
            "\(path) was finished already; nothing more can be written to it."
        case .refused(let path, let reason):
            "\(path): the database refused (\(reason))."
        }
    }
}

extension RunStoreError {
    /// Names what SQLite reported in the words of this room.
    static func from(_ error: any Error, path: String) -> RunStoreError {
        if let known = error as? RunStoreError { return known }
        if error is RowDecodingError {
            return .damaged(path: path, reason: "a column holds a value of the wrong kind")
        }
        guard let database = error as? DatabaseError else {
            return .refused(path: path, reason: String(describing: error))
        }
        let text = database.message ?? "SQLite code \(database.extendedResultCode.rawValue)"
        switch database.resultCode {
        case .SQLITE_FULL: return .diskFull(path: path)
        case .SQLITE_READONLY: return .readOnly(path: path)
        case .SQLITE_IOERR:
            return .inputOutput(path: path, reason: "\(text), SQLite code \(database.extendedResultCode.rawValue)")
        case .SQLITE_CORRUPT: return .damaged(path: path, reason: text)
        case .SQLITE_NOTADB: return .notARunFile(path: path, reason: text)
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: return .forbidden(path: path, reason: text)
        default: return .refused(path: path, reason: text)
        }
    }
}
