package import BoardControl

extension VirtualPi {
    /// A clean shutdown begins now (the request line, or a command on the board). Only a running board hears it.
    package mutating func requestShutdown(cause: String, at time: Int64) {
        advance(to: time)
        guard state == .running else { return }
        let timing = truth.timing
        var t = time
        let activity = timing.shutdown.draw(&latency)
        stages = []
        let pieces = max(1, Int(activity / 0.25))
        for _ in 0..<pieces {
            t += nanoseconds(activity / Double(pieces))
            stages.append(
                TransitionStage(until: t, drive: .load(.busy(cores: latency.uniform(0.3, 1.6), megahertz: 1500))))
        }
        shutdownEndedAt = t
        t += nanoseconds(timing.shutdownBump.draw(&latency))
        stages.append(TransitionStage(until: t, drive: .watts(timing.bootloaderWatts)))
        stateAfterStages = truth.firmware.powerOffOnHalt ? .off : .halt
        enter(.shuttingDown, cause: cause, at: time)
    }

    /// A line changed. `asserted` means the level that acts: low for the open-drain lines, connected for the supply switch.
    package mutating func apply(_ role: LineRole, asserted: Bool, at time: Int64) {
        advance(to: time)
        guard lineAsserted.contains(role) != asserted else { return }
        if asserted { lineAsserted.insert(role) } else { lineAsserted.remove(role) }
        switch role {
        case .globalEnable: globalEnable(low: asserted, at: time)
        case .run: run(low: asserted, at: time)
        case .gpio3Wake:
            if asserted, state == .halt, truth.firmware.wakeOnGPIO { wake(cause: "gpio3_wake", at: time) }
        case .shutdownRequest:
            shutdownDue = asserted ? time + nanoseconds(truth.timing.shutdownDebounceSeconds) : nil
        case .supplySwitch, .poweroffAcknowledge: break
        }
    }

    /// The switch between meter and board.
    package mutating func connectSupply(_ connected: Bool, at time: Int64) {
        advance(to: time)
        if !connected, state != .cut {
            abandonStages()
            latched = false
            hung = false
            enter(.cut, cause: "supply_switch", at: time)
        } else if connected, state == .cut {
            boot(cause: "supply_switch", at: time)
        }
    }

    /// What RUN reads as an input: true while the 3.3 V rail is up and nobody pulls it low.
    package var runIsHigh: Bool { state.railIsUp && !lineAsserted.contains(.run) }

    /// The pin of the `gpio-poweroff` overlay at `time`: active 100 ms, inactive 100 ms, active until the rail goes.
    package func poweroffAcknowledged(at time: Int64) -> Bool {
        guard truth.firmware.poweroffAcknowledgeWired, let ended = shutdownEndedAt, state.railIsUp, time >= ended else {
            return false
        }
        let since = time - ended
        return since < 100_000_000 || since >= 200_000_000
    }

    // MARK: inside

    private mutating func globalEnable(low: Bool, at time: Int64) {
        if low {
            globalEnableFellAt = time
            guard state != .cut, state != .off else { return }
            abandonStages()
            hung = false
            enter(.held, cause: "global_en", at: time)
        } else if let fell = globalEnableFellAt {
            globalEnableFellAt = nil
            // A pulse must be longer than 1 ms (Compute Module 4 data, same PMIC family).
            let longEnough = time - fell > 1_000_000
            switch state {
            case .held: boot(cause: "global_en", at: time)
            case .off: if longEnough { wake(cause: "global_en", at: time) }
            default: break
            }
        }
    }

    /// RUN low holds the SoC in reset; its rise boots the board, from halt too. Without the 3.3 V rail it does nothing.
    private mutating func run(low: Bool, at time: Int64) {
        if low, state.railIsUp {
            abandonStages()
            hung = false
            enter(.held, cause: "run", at: time)
        } else if !low, state == .held, !lineAsserted.contains(.globalEnable) {
            boot(cause: "run", at: time)
        }
    }

    /// A wake-up of a sleeping board: may go wrong as the fault script says.
    private mutating func wake(cause: String, at time: Int64) {
        if latched { return }
        let fault = wakeFaults.isEmpty ? nil : wakeFaults.removeFirst()
        switch fault {
        case .ignored: return
        case .latched: latched = true
        case .hangs:
            boot(cause: cause, at: time)
            hung = true
        case nil: boot(cause: cause, at: time)
        }
    }

    private mutating func abandonStages() {
        stages = []
        kernelStartsAt = nil
        shutdownDue = nil
        shutdownEndedAt = nil
    }

    private mutating func boot(cause: String, at time: Int64) {
        let timing = truth.timing
        abandonStages()
        var t = time + nanoseconds(timing.bootloader.draw(&latency))
        if latency.uniform() < timing.slowBootProbability { t += nanoseconds(timing.slowBoot.draw(&latency)) }
        stages.append(TransitionStage(until: t, drive: .watts(timing.bootloaderWatts)))
        kernelStartsAt = t
        t += nanoseconds(timing.kernel.draw(&latency))
        stages.append(TransitionStage(until: t, drive: .load(.busy(cores: 1.1))))
        let userspace = timing.userspace.draw(&latency)
        let pieces = max(1, Int(userspace / 0.25))
        for _ in 0..<pieces {
            t += nanoseconds(userspace / Double(pieces))
            stages.append(TransitionStage(until: t, drive: .load(.busy(cores: latency.uniform(0.6, 2.6)))))
        }
        t += nanoseconds(timing.ready.draw(&latency))
        stages.append(TransitionStage(until: t, drive: .load(.busy(cores: 0.5))))
        stateAfterStages = .running
        load = .idle
        enter(.booting, cause: cause, at: time)
    }

    /// The event due at `time`: kernel start, debounce passed, or the end of a stage.
    mutating func fire(at time: Int64) {
        if let due = shutdownDue, due <= time {
            shutdownDue = nil
            requestShutdown(cause: "shutdown_request", at: time)
        }
        if let due = kernelStartsAt, due <= time {
            kernelStartsAt = nil
            kernelStartedAt = time
            boots += 1
            throttledBits = 0
        }
        guard let stage = stages.first, stage.until <= time else { return }
        if hung, kernelStartsAt == nil {
            // A hung boot draws on like a busy core until something resets the board.
            stages = []
            driveChanged(at: time)
            return
        }
        stages.removeFirst()
        if stages.isEmpty {
            if stateAfterStages != .running { kernelStartsAt = nil }
            enter(stateAfterStages, cause: state == .booting ? "ready" : "plateau", at: time)
        } else {
            driveChanged(at: time)
        }
    }

    private mutating func enter(_ new: PowerState, cause: String, at time: Int64) {
        let old = state
        state = new
        if new != .shuttingDown && new != .halt { shutdownEndedAt = nil }
        driveChanged(at: time)
        transitions.append(
            PowerTransition(
                board: truth.name, from: old, to: new, atNanoseconds: time, cause: cause, totals: trace.totals(at: time)
            ))
    }
}
