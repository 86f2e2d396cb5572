package import Foundation

/// How an optimum was reached or missed.
package enum AnswerStatus: String, Sendable, CaseIterable {
    /// Within the gap that was asked for.
    case optimal
    /// Time ran out; the gap says how far the proof got.
    case timeLimit = "time_limit"
    /// Stopped by the user; the gap says how far the proof got.
    case interrupted
    /// No schedule keeps the rules; `infeasibility` says where.
    case infeasible
    /// Time ran out, or the user stopped, before any schedule was found.
    case noSolution = "no_solution"
    /// Not an optimum but a stated rule of thumb (`greedy`).
    case heuristic
}

/// The answer for one variant.
package struct VariantAnswer: Sendable {
    package var status: AnswerStatus
    /// g CO2e of the schedule, nil without one.
    package var objectiveG: Double?
    /// Proven lower bound on every schedule, nil if none.
    package var boundG: Double?
    package var schedule: Schedule?
    package var infeasibility: Infeasibility?
    package var seconds = 0.0
    package var method = ""
    /// Prices of the pools by slot, where the last step was a linear model: g per Wh delivered, g per batch moved.
    package var energyPrices: [Double] = []
    package var workPrices: [Double] = []

    package init(
        status: AnswerStatus, objectiveG: Double? = nil, boundG: Double? = nil, schedule: Schedule? = nil,
        infeasibility: Infeasibility? = nil
    ) {
        self.status = status
        self.objectiveG = objectiveG
        self.boundG = boundG
        self.schedule = schedule
        self.infeasibility = infeasibility
    }

    /// (objective − bound) / objective; 0 where both are 0, nil without a bound.
    package var gap: Double? {
        guard let objectiveG, let boundG else { return nil }
        let difference = max(0, objectiveG - boundG)
        if difference <= 1e-12 { return 0 }
        return objectiveG > 0 ? difference / objectiveG : nil
    }
}

/// Answers for one instance, in the order they were asked for (deta.md section 16).
package struct Answer: Sendable {
    package var instance: String
    package var solver: String
    package var variants: [(variant: Variant, answer: VariantAnswer)]

    package init(instance: String, solver: String, variants: [(variant: Variant, answer: VariantAnswer)] = []) {
        self.instance = instance
        self.solver = solver
        self.variants = variants
    }

    package subscript(_ variant: Variant) -> VariantAnswer? { variants.first { $0.variant == variant }?.answer }

    /// 1 − optimum / baseline, nil where one is missing or the baseline is 0.
    package func reduction(_ variant: Variant, against base: Variant = .none) -> Double? {
        guard let optimum = self[variant]?.objectiveG, let baseline = self[base]?.objectiveG, baseline > 0 else {
            return nil
        }
        return 1 - optimum / baseline
    }

    /// The answer file. Reductions against `none` and `greedy` follow where these were solved.
    /// - Parameter solutions: false leaves the schedules out, for a summary.
    package func json(solutions: Bool = true) -> Data {
        var out = JSONWriter()
        out.object { out in
            out.member("instance", instance)
            out.member("solver", solver)
            out.key("variants")
            out.object { out in
                for (variant, answer) in variants {
                    out.key(variant.rawValue)
                    answer.write(to: &out, solution: solutions)
                }
            }
            for base in [Variant.none, .greedy] where self[base] != nil {
                out.key("reduction_vs_\(base.rawValue)")
                out.object { out in
                    for (variant, _) in variants where variant != base {
                        out.member(variant.rawValue, reduction(variant, against: base))
                    }
                }
            }
        }
        return out.data
    }
}

extension VariantAnswer {
    fileprivate func write(to out: inout JSONWriter, solution: Bool) {
        out.object { out in
            out.member("status", status.rawValue)
            out.member("objective_g", objectiveG)
            out.member("bound_g", boundG)
            out.member("gap", gap)
            out.member("seconds", (seconds * 1000).rounded() / 1000)
            out.member("method", method)
            if let infeasibility {
                out.key("infeasible")
                out.object { out in
                    if let server = infeasibility.server { out.member("server", server) }
                    if let id = infeasibility.serverID { out.member("server_id", id) }
                    out.member("slot", infeasibility.slot)
                    out.member("reason", infeasibility.reason)
                }
            }
            if !energyPrices.isEmpty { out.member("energy_price_g_per_wh", energyPrices) }
            if !workPrices.isEmpty { out.member("work_price_g_per_batch", workPrices) }
            guard solution, let schedule else { return }
            out.key("solution")
            out.object { out in
                for flow in Flow.allCases { out.member(flow.name, table: schedule[flow], columns: schedule.slots) }
            }
        }
    }
}
