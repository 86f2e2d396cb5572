import CHiGHS
package import DETA
import Foundation

/// The HiGHS shared library, found and opened at run time.
///
/// Search order: the path in WATTBENCH_HIGHS; `.tools/highs` (filled by `scripts/setup-highs`) in a folder above the
/// executable or the current folder; then the system's `libhighs.so.1` and `libhighs.so`.
package final class HiGHSLibrary: Sendable {
    // An OpaquePointer to a structure that is written once, before it gets here, and only read afterwards.
    nonisolated(unsafe) let api: OpaquePointer
    package let path: String
    package let version: String

    /// - Throws: `DETAError.solver` naming every place that was tried.
    package static func load(environment: [String: String] = ProcessInfo.processInfo.environment) throws(DETAError)
        -> HiGHSLibrary
    {
        var tried: [String] = []
        for path in candidates(environment: environment) {
            do throws(DETAError) { return try HiGHSLibrary(path: path) } catch {
                tried.append("\(path) (\(error.message))")
                // A path that was asked for is not quietly replaced by another library.
                if path == environment["WATTBENCH_HIGHS"] { break }
            }
        }
        throw .solver("no usable HiGHS library; tried \(tried.joined(separator: ", ")); run scripts/setup-highs")
    }

    /// - Throws: `DETAError.solver` if the file is no HiGHS, too old or built with another integer size.
    package init(path: String) throws(DETAError) {
        var message = [CChar](repeating: 0, count: 512)
        guard let api = wb_highs_open(path, &message, message.count) else {
            let end = message.firstIndex(of: 0) ?? message.count
            throw .solver(String(decoding: message[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        self.api = api
        self.path = path
        version = String(cString: wb_highs_version(api))
        guard wb_highs_int_size(api) == 4 else {
            throw .solver("HiGHS \(version) counts in \(wb_highs_int_size(api) * 8) bits, 32 are expected")
        }
        let (major, minor) = (wb_highs_version_major(api), wb_highs_version_minor(api))
        guard major > 1 || (major == 1 && minor >= 10) else { throw .solver("HiGHS \(version) is older than 1.10") }
    }

    static func candidates(environment: [String: String]) -> [String] {
        var paths: [String] = []
        if let stated = environment["WATTBENCH_HIGHS"], !stated.isEmpty { paths.append(stated) }
        let executable = URL(fileURLWithPath: CommandLine.arguments.first ?? ".").resolvingSymlinksInPath()
        let starts = [
            executable.deletingLastPathComponent(),
            URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent(),
            URL(fileURLWithPath: FileManager.default.currentDirectoryPath),
        ]
        for start in starts {
            var folder = start
            while true {
                paths.append(contentsOf: libraries(below: folder.appendingPathComponent(".tools/highs")))
                let above = folder.deletingLastPathComponent()
                if above.path == folder.path || folder.path == "/" { break }
                folder = above
            }
        }
        paths.append(contentsOf: ["libhighs.so.1", "libhighs.so"])
        var seen: Set<String> = []
        return paths.filter { seen.insert($0).inserted }
    }

    private static func libraries(below folder: URL) -> [String] {
        guard FileManager.default.fileExists(atPath: folder.path),
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        else { return [] }
        return files.compactMap { $0 as? URL }.filter { $0.lastPathComponent.hasPrefix("libhighs.so") }.map(\.path)
            .sorted()
    }
}
