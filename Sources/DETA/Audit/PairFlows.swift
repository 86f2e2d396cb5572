/// Who sends how much to whom, recovered from a pooled plan (deta.md section 6): senders and receivers walked in order
/// (north-west corner), at most N − 1 flows a slot and good.
package enum PairFlows {
    package struct Flow: Sendable, Equatable {
        package var from: Int
        package var to: Int
        /// Amount sent, before loss.
        package var sent: Double
        /// Amount that arrives.
        package var received: Double
    }

    /// - Parameters: amounts by server; `efficiency` is received / sent.
    package static func recover(sent: [Double], received: [Double], efficiency: Double) -> [Flow] {
        var left = sent
        var open = received
        var flows: [Flow] = []
        var (i, j) = (0, 0)
        let dust = 1e-9 * max(1, sent.max() ?? 0)
        while i < left.count, j < open.count {
            if left[i] <= dust {
                i += 1
            } else if open[j] <= dust {
                j += 1
            } else {
                let amount = min(left[i] * efficiency, open[j])
                flows.append(Flow(from: i, to: j, sent: amount / efficiency, received: amount))
                left[i] -= amount / efficiency
                open[j] -= amount
            }
        }
        return flows
    }

    /// All flows of an answer: `variant,slot,good,from,to,sent,received` (Wh or batches).
    package static func csv(_ file: AnswerFile, instance: Instance) -> String {
        var lines = ["variant,slot,good,from,to,sent,received"]
        let goods = [("energy_wh", "exp", "imp", instance.trade.efficiency), ("batches", "out", "in", 1)]
        for claim in file.claims {
            for t in 0..<instance.slots {
                for (good, sender, receiver, efficiency) in goods where efficiency > 0 {
                    guard let sent = claim.solution[sender], let received = claim.solution[receiver] else { continue }
                    func column(_ table: [Double]) -> [Double] {
                        instance.servers.indices.map { table[instance.at($0, t)] }
                    }
                    for flow in recover(sent: column(sent), received: column(received), efficiency: efficiency) {
                        let (from, to) = (instance.servers[flow.from].id, instance.servers[flow.to].id)
                        lines.append("\(claim.variant),\(t),\(good),\(from),\(to),\(flow.sent),\(flow.received)")
                    }
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
