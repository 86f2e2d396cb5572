import CZlib
package import Foundation

/// Reads and writes files that may be gzip-compressed, never leaving a half-written one behind.
package enum TextFile {
    /// Largest inflated size accepted, 2 GiB: a guard against a compressed bomb.
    static let largest = 2 << 30

    /// The file's bytes, inflated if they begin like gzip.
    package static func read(_ path: String) throws(DETAError) -> Data {
        let raw: Data
        do { raw = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            let exists = FileManager.default.fileExists(atPath: path)
            throw .file(path: path, reason: exists ? "cannot be read" : "there is no such file")
        }
        guard raw.count >= 2, raw[raw.startIndex] == 0x1F, raw[raw.startIndex + 1] == 0x8B else { return raw }
        return try inflate(raw, path: path)
    }

    /// Writes to `path.partial` and renames; compressed if the name ends in `.gz`.
    package static func write(_ data: Data, to path: String) throws(DETAError) {
        let bytes = path.hasSuffix(".gz") ? try deflate(data, path: path) : data
        let partial = path + ".partial"
        do {
            try bytes.write(to: URL(fileURLWithPath: partial))
        } catch { throw .file(path: path, reason: "cannot be written; does the folder exist?") }
        guard rename(partial, path) == 0 else {
            throw .file(path: path, reason: "cannot be replaced: \(String(cString: strerror(errno)))")
        }
    }

    static func inflate(_ input: Data, path: String) throws(DETAError) -> Data {
        var stream = z_stream()
        guard wb_inflate_init_gzip(&stream) == Z_OK else { throw .file(path: path, reason: "zlib does not start") }
        defer { inflateEnd(&stream) }
        var source = [UInt8](input)
        let count = source.count
        var output = Data()
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var status = Z_OK
        var consumed = 0
        while status != Z_STREAM_END || consumed < count {
            if status == Z_STREAM_END {
                // gzip files may be concatenated.
                guard inflateReset(&stream) == Z_OK else { break }
            }
            let produced = source.withUnsafeMutableBufferPointer { from in
                chunk.withUnsafeMutableBufferPointer { to in
                    stream.next_in = from.baseAddress.map { $0 + consumed }
                    stream.avail_in = UInt32(count - consumed)
                    stream.next_out = to.baseAddress
                    stream.avail_out = UInt32(to.count)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    return to.count - Int(stream.avail_out)
                }
            }
            consumed = count - Int(stream.avail_in)
            output.append(contentsOf: chunk[0..<produced])
            guard output.count <= largest else { throw .file(path: path, reason: "inflates to more than 2 GiB") }
            guard status == Z_OK || status == Z_STREAM_END else {
                let reason = stream.msg.map { String(cString: $0) } ?? "the compressed data end too early"
                throw .file(path: path, reason: "damaged gzip data: \(reason)")
            }
        }
        return output
    }

    static func deflate(_ input: Data, path: String) throws(DETAError) -> Data {
        var stream = z_stream()
        guard wb_deflate_init_gzip(&stream) == Z_OK else { throw .file(path: path, reason: "zlib does not start") }
        defer { deflateEnd(&stream) }
        var source = [UInt8](input)
        let bound = Int(deflateBound(&stream, UInt(source.count))) + 64
        var output = [UInt8](repeating: 0, count: bound)
        let count = source.count
        let (status, written) = source.withUnsafeMutableBufferPointer { from in
            output.withUnsafeMutableBufferPointer { to in
                stream.next_in = from.baseAddress
                stream.avail_in = UInt32(count)
                stream.next_out = to.baseAddress
                stream.avail_out = UInt32(to.count)
                let status = CZlib.deflate(&stream, Z_FINISH)
                return (status, to.count - Int(stream.avail_out))
            }
        }
        guard status == Z_STREAM_END else { throw .file(path: path, reason: "cannot be compressed") }
        return Data(output[0..<written])
    }
}

extension Instance {
    /// Reads an instance file, plain or gzip; every error carries the file's name.
    package init(file path: String) throws(DETAError) {
        let data = try TextFile.read(path)
        do throws(DETAError) { try self.init(json: data) } catch { throw .inFile(path, error) }
    }
}
