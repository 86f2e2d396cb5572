import Metrology

/// What the static test says of one board, board plane.
package struct BoardStatic: Sendable, Codable, Equatable {
    package var cable: CableFit
    /// Mean of the supply-cut plateaus, W; nil if none were taken.
    package var cutWatts: Estimate?
    package var pmicOff: TemperatureLine?
    package var halt: TemperatureLine?
    /// By clock, MHz; key 0 where the plan named no clock.
    package var idle: [Int: IdleModel]
    package var diagnostics: [Diagnostic]

    /// Idle model at the lowest clock: the governor's floor.
    package var floorIdle: IdleModel? { idle.keys.min().flatMap { idle[$0] } }
    /// Rows set aside in any part.
    package var setAside: [SetAside] {
        cable.setAside + (pmicOff?.setAside ?? []) + (halt?.setAside ?? [])
            + idle.keys.sorted().flatMap { idle[$0]?.setAside ?? [] }
    }
    /// Worst light of the diagnostics.
    package var light: TrafficLight { diagnostics.map(\.light).reduce(.green) { $0.worse($1) } }
}

/// Static power models of several boards, each from its own plateaus; nothing is pooled.
package struct StaticModel: Sendable, Codable, Equatable {
    package var boards: [String: BoardStatic]

    /// Ceilings above which a plateau was not the state it is called (firmware that ignores settings, halts that spin).
    package struct Limits: Sendable {
        package var pmicOffCeilingWatts = 0.6
        package var haltCeilingWatts = 2.2
        package init() {}
    }

    /// Fits all boards. Pure: rows in, model out.
    /// - Parameters:
    ///   - plateaus: meter-plane means of all boards.
    ///   - cables: cable points; boards without any take `assumedCable`.
    ///   - assumedCable: resistance taken where none was measured; nil makes a missing cable an error.
    /// - Throws: `CalibrationError` naming the board and first line concerned; `MetrologyError` from the fits.
    package static func fit(
        plateaus: [StaticPlateau], cables: [CablePoint], assumedCable: Estimate? = nil, limits: Limits = Limits(),
        file: String = "plateaus"
    ) throws -> StaticModel {
        let byBoard = Dictionary(grouping: plateaus, by: \.board)
        guard !byBoard.isEmpty else { throw CalibrationError.notEnough(what: file, reason: "no plateaus") }
        let cableByBoard = Dictionary(grouping: cables, by: \.board)
        var boards: [String: BoardStatic] = [:]
        for board in byBoard.keys.sorted() {
            let rows = byBoard[board] ?? []
            let cable: CableFit
            if let points = cableByBoard[board] {
                cable = try CableFit.fit(points, board: board)
            } else if let assumedCable {
                cable = .given(assumedCable)
            } else {
                throw CalibrationError.badInput(
                    file: file, line: rows.first?.line, reason: "board \(board) has plateaus but no cable measurement")
            }
            boards[board] = try fit(board, rows, cable: cable, limits: limits, file: file)
        }
        return StaticModel(boards: boards)
    }

    private static func fit(
        _ board: String, _ rows: [StaticPlateau], cable: CableFit, limits: Limits, file: String
    ) throws -> BoardStatic {
        var diagnostics = cable.diagnostics
        let idleRows = rows.filter { if case .idle = $0.state { true } else { false } }
        guard !idleRows.isEmpty else {
            throw CalibrationError.badInput(
                file: file, line: rows.first?.line,
                reason: "board \(board) has no idle plateaus; the static model starts from idle, measure at least 2")
        }
        let offRows = rows.filter { $0.state == .pmicOff }
        let haltRows = rows.filter { $0.state == .halt }
        let off =
            offRows.isEmpty
            ? nil
            : try TemperatureLine.fit(
                offRows, cable: cable, what: "\(file): \(board) pmic_off", ceilingWatts: limits.pmicOffCeilingWatts)
        let halt =
            haltRows.isEmpty
            ? nil
            : try TemperatureLine.fit(
                haltRows, cable: cable, what: "\(file): \(board) halt", ceilingWatts: limits.haltCeilingWatts)
        var idle: [Int: IdleModel] = [:]
        for (state, group) in Dictionary(grouping: idleRows, by: \.state) {
            guard case .idle(let clock) = state else { continue }
            idle[clock ?? 0] = try IdleModel.fit(group, cable: cable, what: "\(file): \(board) \(state)")
        }
        let cut = cutCheck(rows.filter { $0.state == .cut }, &diagnostics)
        diagnostics += stateChecks(board, off: off, halt: halt, idle: idle)
        return BoardStatic(cable: cable, cutWatts: cut, pmicOff: off, halt: halt, idle: idle, diagnostics: diagnostics)
    }

    /// With the supply cut the meter must read zero: the check of the current offset.
    private static func cutCheck(_ rows: [StaticPlateau], _ diagnostics: inout [Diagnostic]) -> Estimate? {
        guard rows.count >= 2,
            let fit = try? RobustFit(
                Matrix(columns: [rows.map { _ in 1 }]), rows.map(\.powerWatts), start: .leastAbsolute,
                minimumScale: max(rows.map(\.standardErrorWatts).median(), 1e-6))
        else {
            diagnostics.append(
                Diagnostic(
                    check: "cut reads zero", value: nil, light: .amber,
                    note: "fewer than 2 plateaus with the supply cut"))
            return nil
        }
        let mean = Estimate(value: fit.coefficients[0], u: fit.scale / Double(rows.count).squareRoot())
        let fine = abs(mean.value) <= 3 * mean.u
        diagnostics.append(
            Diagnostic(
                check: "cut reads zero", value: mean.value, light: fine ? .green : .red,
                note: fine ? nil : "more than 3u from zero: redo the meter's zero offset"))
        return mean
    }

    private static func stateChecks(
        _ board: String, off: TemperatureLine?, halt: TemperatureLine?, idle: [Int: IdleModel]
    ) -> [Diagnostic] {
        var found: [Diagnostic] = []
        let floor = idle.keys.min().flatMap { idle[$0] }
        let middle = floor.map { $0.extrapolated(socCelsius: 0.5 * ($0.socCelsius[0] + $0.socCelsius[1])).value }
        let ladder = [0, off?.at25Watts.value, halt?.at25Watts.value, middle].compactMap { $0 }
        let rising = zip(ladder.dropFirst(), ladder).allSatisfy { $0 > $1 }
        found.append(
            Diagnostic(
                check: "0 < off < halt < idle", value: nil, light: rising ? .green : .red,
                note: rising
                    ? nil : "states are not in rising order of power: a board did not reach the state it was sent to"))
        if let leakage = floor?.leakageAt50 {
            let usual = (0.003...0.02).contains(leakage.value)
            found.append(
                Diagnostic(
                    check: "leakage slope at 50 °C, W/°C", value: leakage.value, light: usual ? .green : .amber,
                    note: usual ? nil : "5 to 15 mW/°C are usual"))
        } else {
            found.append(
                Diagnostic(
                    check: "leakage slope at 50 °C, W/°C", value: nil, light: .amber,
                    note: "SoC temperatures too alike to tell; vary the room by 8 °C"))
        }
        for (clock, model) in idle.sorted(by: { $0.key < $1.key }) {
            let share = Double(model.setAside.count) / Double(model.points)
            found.append(
                Diagnostic(
                    check: "idle\(clock == 0 ? "" : String(clock)) rows set aside", value: share,
                    light: share > 0.34 ? .red : (share > 0.1 ? .amber : .green),
                    note: share > 0.1 ? "\(model.setAside.count) of \(model.points)" : nil))
            for bound in model.activeBounds {
                found.append(
                    Diagnostic(check: "idle bound", value: nil, light: .amber, note: "\(bound) rests on its bound"))
            }
        }
        return found
    }

    /// Leakage slope for the dynamic model, W/°C: mean over boards, its uncertainty from their scatter and their own.
    package var fleetLeakage: Estimate? {
        let slopes = boards.values.compactMap { $0.floorIdle?.leakageAt50 }
        guard !slopes.isEmpty else { return nil }
        let mean = slopes.map(\.value).mean()
        let own = slopes.map { $0.u * $0.u }.compensatedSum().squareRoot() / Double(slopes.count)
        guard slopes.count > 1 else { return Estimate(value: mean, u: own) }
        let scatter = slopes.map { ($0.value - mean) * ($0.value - mean) }.compensatedSum() / Double(slopes.count - 1)
        return Estimate(value: mean, u: max(own, (scatter / Double(slopes.count)).squareRoot()))
    }
}
