/// Everything that is true of one virtual Raspberry Pi 4B. A fit of the harness must find these numbers again.
///
/// Power at the board plane: `P = p50 + shift + λ(T − 50) + gain·(V_c² f (kClk + cUnc·min(1,U) + cCore·U) + eTx·R_tx +
/// eRx·R_rx)`, f in GHz, R in Mbit/s, T the SoC temperature in °C (calibration reference 3.3).
package struct BoardTruth: Codable, Sendable, Equatable {
    package struct Supply: Codable, Sendable, Equatable {
        /// Source voltage without load, V.
        package var sourceVolts = 5.18
        /// Resistance before the meter (source) and between meter and board (cable), Ω.
        package var sourceOhms = 0.02
        package var cableOhms = 0.092
        /// Slow wander of the source: standard deviation, V, and correlation time, s.
        package var wanderVolts = 0.0008
        package var wanderSeconds = 8.0
    }

    package struct PowerModel: Codable, Sendable, Equatable {
        package var p50Watts = 1.6
        package var lambdaWattsPerCelsius = 0.0098
        package var kClk = 0.165
        package var cUnc = 0.21
        package var cCore = 0.595
        /// Cost per core of training's instruction mix; equal to `cCore` unless the description says otherwise.
        package var cCoreTrain = 0.595
        package var eTxWattsPerMbitPerSecond = 1.17e-3
        package var eRxWattsPerMbitPerSecond = 8.6e-4
        package var interceptShiftWatts = 0.0
        package var dynamicGain = 1.0
    }

    package struct Sleep: Codable, Sendable, Equatable {
        package var offWatts = 0.163
        package var offWattsPerCelsius = 0.00122
        package var haltWatts = 1.37
        package var haltWattsPerCelsius = 0.0039
        /// Draw while GLOBAL_EN is held low.
        package var heldWatts = 0.75
    }

    package struct Thermal: Codable, Sendable, Equatable {
        package var ambientCelsius = 25.0
        /// SoC over case and case over room: °C/W and s.
        package var socCelsiusPerWatt = 6.0
        package var socSeconds = 60.0
        package var caseCelsiusPerWatt = 3.3
        package var caseSeconds = 600.0
        /// The firmware lowers the clock from here on.
        package var throttleCelsius = 80.0
        package var throttleMegahertz = 1000
    }

    package struct Variation: Codable, Sendable, Equatable {
        /// Two correlated parts of a running board's own variation: standard deviation, W, correlation time, s.
        package var fastWatts = 0.012
        package var fastSeconds = 0.015
        package var slowWatts = 0.006
        package var slowSeconds = 0.8
        /// Both are multiplied by this much per watt of dynamic power, on top of 1.
        package var perDynamicWatt = 0.5
        /// Standard deviation of a sleeping board's draw, W (fast part only).
        package var sleepWatts = 0.0004
    }

    package struct Timing: Codable, Sendable, Equatable {
        /// Bulk capacitance: load steps reach the meter through one time constant, s.
        package var supplyLagSeconds = 0.0015
        package var shutdownDebounceSeconds = 0.1
        package var shutdown = LatencyTruth(2.6, logSigma: 0.12)
        /// The bootloader runs again before the PMIC is switched off.
        package var shutdownBump = LatencyTruth(0.7, logSigma: 0.05)
        package var bootloader = LatencyTruth(2.4, logSigma: 0.08)
        package var kernel = LatencyTruth(2.2, logSigma: 0.05)
        package var userspace = LatencyTruth(5.0, logSigma: 0.15)
        /// From a running system to the participant's hello.
        package var ready = LatencyTruth(0.8, logSigma: 0.2)
        /// Share of boots in which the bootloader waits for something (network, HDMI) and how long.
        package var slowBootProbability = 0.0
        package var slowBoot = LatencyTruth(10, logSigma: 0.3)
        package var bootloaderWatts = 2.3
    }

    package struct Firmware: Codable, Sendable, Equatable {
        package var wakeOnGPIO = false
        package var powerOffOnHalt = true
        package var eeprom = "2023-05-11"
        /// Level drop of the RUN line and `gpio-poweroff` acknowledge are wired.
        package var poweroffAcknowledgeWired = true
    }

    package var name: String
    package var supply = Supply()
    package var power = PowerModel()
    package var sleep = Sleep()
    package var thermal = Thermal()
    package var variation = Variation()
    package var timing = Timing()
    package var firmware = Firmware()

    /// The textbook board: no spread.
    package init(name: String) { self.name = name }

    /// A board of a fleet: parameters spread about the textbook values as boards do (intercepts ± 60 mW, dynamic part ± 1.5 %).
    package init(name: String, seed: UInt64) {
        self.name = name
        var g = SeededGenerator(seed: seed, purpose: "board truth \(name)")
        supply.sourceVolts += 0.015 * g.normal()
        supply.cableOhms = 0.09 + 0.01 * g.uniform(-1, 1)
        power.interceptShiftWatts = 0.06 * g.normal()
        power.dynamicGain = 1 + 0.015 * g.normal()
        sleep.offWatts += 0.004 * g.normal()
        sleep.haltWatts += 0.03 * g.normal()
        thermal.ambientCelsius += 0.8 * g.normal()
        thermal.socCelsiusPerWatt *= 1 + 0.05 * g.normal()
    }
}
