import Foundation
import Testing
import Traces

@testable import RunStore

/// What is left when the writer does not end well. Each test runs the writer in a process of its own.
@Suite struct CrashTests {
    @Test func aKilledWriterLosesOnlyWhatWasNotCommitted() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("run.wbrun")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let writer = try RunWriter(creating: path, settings: onlyWhenTold)
            try writer.register(testMeter("A"))
            for reply in makeReplies(meter: "A", samples: 20_000, seed: 21) { try writer.append(reply) }
            try await writer.commitEverything()
            // Acknowledged: durable, although the regular commit has not come.
            let marker = MarkerRecord(
                identity: .init(node: "n", boot: "b", source: "s", sequence: 1), receivedAtNanoseconds: 0,
                transport: "tcp", line: "{}")
            try writer.append(marker)
            try await writer.commitNow()
            for reply in makeReplies(meter: "A", from: 30_000, samples: 500, seed: 22) { try writer.append(reply) }
            kill(getpid(), SIGKILL)
        }
        let reader = try RunReader(opening: path)
        #expect(!reader.isClosed)
        #expect(try readAll(reader, "A").replies == makeReplies(meter: "A", samples: 20_000, seed: 21))
        #expect(try reader.markers().count == 1)
        #expect(try reader.buckets(of: "A", epoch: 0, level: .tenthSecond).reduce(0) { $0 + $1.count } == 20_000)
        #expect(try reader.integrity().isSound)
        // And the recording can go on in the same file: its old owner is dead.
        let again = try RunWriter(reopening: path, settings: onlyWhenTold)
        try await again.finish()
    }

    @Test func aRunKilledAtAnyMomentOpens() async throws {
        for delay in [5, 20, 45, 80, 130] {
            let folder = try TemporaryFolder()
            let path = folder.file("run.wbrun")
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, delay = delay as Int] in
                let writer = try RunWriter(creating: path, settings: .init(commitInterval: 0.05))
                try writer.register(testMeter("A"))
                try await writer.commitNow()
                Thread.detachNewThread {
                    usleep(UInt32(delay) * 1000)
                    kill(getpid(), SIGKILL)
                }
                var from: Int64 = 0
                while true {
                    for reply in makeReplies(meter: "A", from: from, samples: 1000, seed: UInt64(from)) {
                        try writer.append(reply)
                    }
                    from += 1000
                    try await writer.commitNow()
                }
            }
            let reader = try RunReader(opening: path)
            let uptimes = try readAll(reader, "A").replies.flatMap { $0.samples.map(\.uptimeMilliseconds) }
            #expect(uptimes == Array(0..<Int64(uptimes.count)))
            #expect(try reader.integrity().isSound)
        }
    }

    @Test func aFullDiskEndsTheRunCleanlyAndKeepsWhatWasCommitted() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("run.wbrun")
        await #expect(processExitsWith: .exitCode(28)) { [path = path as String] in
            // No file may grow beyond 600 kB: writes fail as on a full disk.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 600_000, rlim_max: 600_000)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let writer = try RunWriter(creating: path, settings: onlyWhenTold)
            try writer.register(testMeter("A"))
            var committed = 0
            do throws(RunStoreError) {
                for part in 0..<1000 {
                    let replies = makeReplies(
                        meter: "A", from: Int64(part) * 10_000, samples: 10_000, seed: UInt64(part))
                    for reply in replies { try writer.append(reply) }
                    try await writer.commitEverything()
                    committed += 10_000
                    try? "\(committed)".write(toFile: path + ".count", atomically: true, encoding: .utf8)
                }
            } catch {
                guard committed > 0, writer.failure == error else { exit(1) }
                switch error {
                case .diskFull, .inputOutput: break
                default: exit(2)
                }
                guard (try? await writer.finish()) == nil else { exit(3) }
                exit(28)
            }
        }
        let committed = try #require(Int(String(contentsOfFile: path + ".count", encoding: .utf8)))
        let reader = try RunReader(opening: path)
        #expect(try readAll(reader, "A").replies.reduce(0) { $0 + $1.samples.count } == committed)
        #expect(try reader.integrity().isSound)
    }

    @Test func aRunOpensFromAFolderThatMayNotBeWritten() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("run.wbrun")
        let writer = try RunWriter(creating: path, settings: onlyWhenTold)
        try writer.register(testMeter("A"))
        for reply in makeReplies(meter: "A", samples: 2000, seed: 31) { try writer.append(reply) }
        try await writer.commitEverything()
        // The state a killed writer leaves: database and log, as copies without the shared memory file.
        let left = folder.file("left")
        try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: left + "/run.wbrun" + suffix)
        }
        try await writer.finish()
        let done = folder.file("done")
        try FileManager.default.createDirectory(atPath: done, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: path, toPath: done + "/run.wbrun")
        for sub in [left, done] { chmod(sub, 0o555) }
        chmod(folder.path, 0o755)
        await #expect(processExitsWith: .success) { [left = left as String, done = done as String] in
            if geteuid() == 0 { guard seteuid(65534) == 0 else { exit(2) } }
            for run in [left, done] {
                let reader = try RunReader(opening: run + "/run.wbrun")
                let count = try readAll(reader, "A").replies.reduce(0) { $0 + $1.samples.count }
                guard count == 2000 else { exit(3) }
                do {
                    _ = try RunWriter(reopening: run + "/run.wbrun")
                    exit(4)
                } catch {}
            }
            exit(0)
        }
        for sub in [left, done] { chmod(sub, 0o755) }
    }
}
