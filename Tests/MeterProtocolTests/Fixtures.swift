import Foundation
import Testing

@testable import MeterProtocol

/// Real captures and their expected values; source and licence: Fixtures/captures/README.md.
enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/captures")

    static let sessions = [
        "open_close_v1.9.5", "graph_2sps_v1.9.5", "graph_1000sps_v1.9.5", "graph_2_10sps_timeout_v1.9.9",
        "adc_pd_poll_v1.9.7", "adc_pd_long_midsession", "offline_log_v1.9.9", "peer_logger_v1.9.5",
    ]

    static func bytes(_ path: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: folder.appending(path: path)))
    }

    /// One golden vector by name.
    static func vector(_ name: String) throws -> [String: Any] {
        let top = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "golden_vectors.json")))
                as? [String: Any])
        let vectors = try #require(top["vectors"] as? [[String: Any]])
        return try #require(vectors.first { $0["name"] as? String == name }, "no vector \(name)")
    }

    static func allVectors() throws -> [[String: Any]] {
        let top = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "golden_vectors.json")))
                as? [String: Any])
        return try #require(top["vectors"] as? [[String: Any]])
    }
}

extension [String: Any] {
    func bytes(_ key: String) throws -> [UInt8] {
        let text = try #require(self[key] as? String, "\(key)")
        return try #require([UInt8](hexDigits: text))
    }

    func int(_ key: String) throws -> Int { try #require(self[key] as? Int, "\(key)") }
}

/// SplitMix64: one seed, one sequence, on every machine.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
