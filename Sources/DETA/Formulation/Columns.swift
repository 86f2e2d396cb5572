/// The variables of section 2, each N·T columns where the variant has them.
package enum Flow: Int, CaseIterable, Sendable {
    /// Grid energy, curtailed harvest, battery charge and discharge at the bus, charge at slot end, batches processed,
    /// queue at slot end, energy sent and received, batches sent and received, awake, wake-up.
    case g, w, ch, dis, s, x, q, exp, imp, out, in_, u, z

    /// Name in answer files.
    package var name: String { self == .in_ ? "in" : "\(self)" }
}

/// Where each variable's block of columns begins; absent variables are zero (or one, for `u` without sleep).
package struct Columns: Sendable, Equatable {
    var base = [Int](repeating: -1, count: Flow.allCases.count)
    let slots: Int

    package func has(_ flow: Flow) -> Bool { base[flow.rawValue] >= 0 }

    /// Column of a flow at a server and slot; only for flows that are there.
    package func callAsFunction(_ flow: Flow, _ server: Int, _ slot: Int) -> Int {
        base[flow.rawValue] + server * slots + slot
    }
}
