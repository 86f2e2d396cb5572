import PhaseLink

/// FedAvg as a lab sees it: rounds of download, start-up, training, upload and waiting (workload reference 1, 2, 4).
package struct FedAvgSchedule: Codable, Sendable, Equatable {
    package var rounds = 3
    package var parameters = 159_010
    /// Mini-batches of a round; rounds take them in turn, so that start-up cost and cost per batch separate.
    package var batchesPerRound = [20, 40, 80]
    package var batchSeconds = 0.12
    package var batchSize = 600
    /// Rate at which messages travel, Mbit/s.
    package var linkMbitPerSecond = 60.0
    /// Bytes of the dataset shard sent first; 0 = no dataset message.
    package var datasetBytes = 15_700_000
    package var evaluates = true
    /// Median of a client process's start, s. Measured on a PC: 3 to 7 s.
    package var appStartSeconds = 3.0
    /// Waiting of the participant between two messages beyond what the slowest node causes, s (3 s polls).
    package var pollSeconds = 3.0
    /// Spread of speed between nodes: standard deviation of the logarithm.
    package var nodeSpread = 0.04
    package var syncPatterns = true

    package init() {}

    /// The phases of every node, node by node. All nodes start together; a round ends when the slowest node is done.
    package func phases(nodes: Int, seed: UInt64) -> [[ScheduledPhase]] {
        var g = SeededGenerator(seed: seed, purpose: "fedavg schedule")
        var lists = [[ScheduledPhase]](repeating: [], count: nodes)
        let speed = (0..<nodes).map { _ in LatencyTruth(1, logSigma: nodeSpread).draw(&g) }
        if syncPatterns { for n in 0..<nodes { lists[n].append(.syncPattern()) } }
        for n in 0..<nodes { lists[n].append(.idle(seconds: 2)) }
        if datasetBytes > 0 {
            message(&lists, speed: speed, generator: &g, round: nil) { _, g in
                let work = ScheduledPhase(
                    PhaseKind.queryDataset,
                    groups: [LoadGroup([LoadSlice(1.5 * LatencyTruth(1, logSigma: 0.1).draw(&g), .busy(cores: 1))])],
                    endAttributes: ["bytes": .integer(Int64(datasetBytes))])
                return (datasetBytes, "query.dataset", work, 4_000)
            }
        }
        let bytes = 4 * parameters + 548
        for round in 1...max(1, rounds) {
            let batches = batchesPerRound.isEmpty ? 20 : batchesPerRound[(round - 1) % batchesPerRound.count]
            message(&lists, speed: speed, generator: &g, round: round) { n, g in
                (bytes, "train", training(batches: batches, round: round, speed: speed[n], generator: &g), bytes)
            }
            guard evaluates else { continue }
            message(&lists, speed: speed, generator: &g, round: round) { n, g in
                let load = BoardLoad.busy(cores: 3.2, mix: .training)
                let work = ScheduledPhase(
                    "evaluate", round: round,
                    groups: [LoadGroup([LoadSlice(1.0 * speed[n] * LatencyTruth(1, logSigma: 0.1).draw(&g), load)])],
                    endAttributes: ["accuracy": .number(1 - 0.08 / Double(round + 1))])
                return (bytes, "evaluate", work, 1_200)
            }
        }
        if syncPatterns { for n in 0..<nodes { lists[n].append(.syncPattern()) } }
        return lists
    }

    /// Loads data, then the batch loop: a burst on all cores and a short stretch on one for each batch.
    private func training(
        batches: Int, round: Int, speed: Double, generator g: inout SeededGenerator
    ) -> ScheduledPhase {
        let batch = batchSeconds * speed
        return ScheduledPhase(
            "local_train", round: round,
            groups: [
                LoadGroup([LoadSlice(0.8 * LatencyTruth(1, logSigma: 0.1).draw(&g), .busy(cores: 1))]),
                LoadGroup(
                    [
                        LoadSlice(0.82 * batch, .busy(cores: 3.9, mix: .training)),
                        LoadSlice(0.18 * batch, .busy(cores: 1, mix: .training)),
                    ], repeats: batches),
                LoadGroup([LoadSlice(0.15, .busy(cores: 1))]),
            ],
            beginAttributes: ["batches": .integer(Int64(batches)), "batch_size": .integer(Int64(batchSize))],
            endAttributes: [
                "batches": .integer(Int64(batches)), "samples": .integer(Int64(batches * batchSize)),
                "bytes": .integer(Int64(4 * parameters)),
            ])
    }

    private typealias Task = (bytesDown: Int, message: String, work: ScheduledPhase, bytesUp: Int)

    /// One message to every node, and the waiting until the slowest has answered.
    private func message(
        _ lists: inout [[ScheduledPhase]], speed: [Double], generator g: inout SeededGenerator, round: Int?,
        task: (Int, inout SeededGenerator) -> Task
    ) {
        var lengths: [Double] = []
        for n in lists.indices {
            let task = task(n, &g)
            let tag: [String: JSONValue] = ["msg": .string(task.message), "bytes": .integer(Int64(task.bytesDown))]
            var phases = [
                transfer(PhaseKind.modelDownload, bytes: task.bytesDown, round: nil, attributes: tag, generator: &g),
                ScheduledPhase(
                    PhaseKind.appStart, round: round,
                    seconds: appStartSeconds * speed[n] * LatencyTruth(1, logSigma: 0.1).draw(&g),
                    load: .busy(cores: 1.05)),
                task.work,
                ScheduledPhase(PhaseKind.pollOut, round: round, seconds: g.uniform(0.03, 0.49), load: .idle),
            ]
            phases.append(
                transfer(
                    PhaseKind.modelUpload, bytes: task.bytesUp, round: round,
                    attributes: ["bytes": .integer(Int64(task.bytesUp))], generator: &g))
            lengths.append(phases.reduce(0) { $0 + $1.seconds })
            lists[n] += phases
        }
        let slowest = lengths.max() ?? 0
        for n in lists.indices {
            let wait = slowest - lengths[n] + pollSeconds * g.uniform(0.4, 1)
            lists[n].append(ScheduledPhase(PhaseKind.awaitWork, seconds: wait, load: .idle))
        }
    }

    private func transfer(
        _ kind: String, bytes: Int, round: Int?, attributes: [String: JSONValue], generator g: inout SeededGenerator
    ) -> ScheduledPhase {
        let rate = linkMbitPerSecond * LatencyTruth(1, logSigma: 0.08).draw(&g)
        let seconds = 0.06 + Double(bytes) * 8e-6 / rate
        let down = kind == PhaseKind.modelDownload
        let load = BoardLoad(
            megahertz: 1500, utilisation: 0.25, sendMbitPerSecond: down ? 0 : rate,
            receiveMbitPerSecond: down ? rate : 0)
        return ScheduledPhase(
            kind, round: round, seconds: seconds, load: load, beginAttributes: attributes,
            endAttributes: ["bytes": .integer(Int64(bytes))])
    }
}
