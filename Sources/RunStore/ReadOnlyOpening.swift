import Foundation
import GRDB

/// Opens a run file for reading, whatever state its writer and its file system left it in.
enum ReadOnlyOpening {
    struct Opened: Sendable {
        var queue: DatabaseQueue
        /// Folder of the copy that had to be made, if one had to.
        var scratch: String?
    }

    static func open(_ path: String) throws(RunStoreError) -> Opened {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == EACCES { throw .forbidden(path: path, reason: "its folder may not be entered") }
            throw .notFound(path: path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .notARunFile(path: path, reason: "it is not a plain file")
        }
        guard status.st_size > 0 else {
            throw .notARunFile(path: path, reason: "it is empty; its creation was cut off")
        }
        guard access(path, R_OK) == 0 else { throw .forbidden(path: path, reason: "no permission to read") }
        do throws(RunStoreError) {
            return Opened(queue: try connect(path, name: path))
        } catch {
            switch error {
            case .forbidden, .readOnly, .inputOutput: break
            default: throw error
            }
            // A log that may not be replayed where it lies (read-only media, no right to write) is replayed in a copy;
            // without a log the file is complete by itself and is read as it is.
            if fileSize(path + "-wal") > 0 { return try openCopy(of: path) }
            return Opened(queue: try connect("file:\(escaped(path))?immutable=1", name: path))
        }
    }

    private static func connect(_ address: String, name path: String) throws(RunStoreError) -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = "run reader"
        configuration.busyMode = .timeout(5)
        do {
            let queue = try DatabaseQueue(path: address, configuration: configuration)
            try queue.read { db in try RunSchema.verify(db, path: path) }
            return queue
        } catch {
            throw RunStoreError.from(error, path: path)
        }
    }

    private static func openCopy(of path: String) throws(RunStoreError) -> Opened {
        let folder = NSTemporaryDirectory() + "/wattbench-read-\(UUID().uuidString)"
        let copy = folder + "/run.wbrun"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            try FileManager.default.copyItem(atPath: path + "-wal", toPath: copy + "-wal")
            for name in [copy, copy + "-wal"] { chmod(name, 0o600) }
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw .inputOutput(
                path: path, reason: "its log cannot be copied to \(folder): \(error.localizedDescription)")
        }
        do throws(RunStoreError) {
            return Opened(queue: try connect(copy, name: path), scratch: folder)
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
    }

    private static func fileSize(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Percent-encodes what has a meaning in a URI.
    private static func escaped(_ path: String) -> String {
        path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed.subtracting(.init(charactersIn: "?#%")))
            ?? path
    }
}
