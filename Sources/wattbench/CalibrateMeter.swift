import ArgumentParser
import Calibration
import Foundation
import Metrology

struct CalibrateMeter: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meter",
        abstract: "Gain and offset of one channel of a meter against a reference, and its certificate.",
        discussion: """
            POINTS.csv: reference,u_reference (k=1),meter_mean,meter_sd,n_effective and, where known, \
            seq,replicate,direction,temperature_c. Nothing is written to the meter.
            Example: wattbench calibrate meter points.csv --json -o certificates/KM001C-1234-V
            """
    )

    @Argument(help: "CSV of calibration points.")
    var points: String

    @Option(help: "V or I; taken from the references' range where left out.")
    var channel: String?

    @Option(
        help: "Relative standard uncertainty of the reference's gain, ppm; common to all points, added after the fit.")
    var referenceGainPpm = 0.0

    @Option(help: "Serial of the meter, for the certificate.")
    var meter = "not stated"
    @Option(help: "Firmware of the meter, for the certificate.")
    var firmware = "not stated"
    @Option(name: .customLong("operator"), help: "Who calibrated, for the certificate.")
    var operatorName = "not stated"
    @Option(help: "Months until the certificate ends.")
    var validMonths = 12

    @Option(name: [.short, .customLong("output")], help: "Write the certificate to BASE.json and BASE.html.")
    var output: String?

    @Flag(help: "Print JSON.")
    var json = false

    private struct Summary: Encodable {
        var offset: Double
        var gain: Double
        var quad: Double
        var u_gain: Double
        var u_offset: Double
        var nonlinearity_significant: Bool
        var hysteresis_significant: Bool
        var status: MeterCertificate.Status
        var reasons: [String]
        var fit: MeterFit
    }

    func run() throws {
        let certificate: MeterCertificate
        do {
            guard referenceGainPpm >= 0 else {
                throw ExitFailure(
                    .badInput, "--reference-gain-ppm \(referenceGainPpm): an uncertainty cannot be negative")
            }
            let bytes = try CalibrationFiles.bytes(points)
            let rows = try MeterPoint.read(CalibrationFiles.table(points, bytes, required: MeterPoint.requiredColumns))
            let fit = try MeterFit.fit(
                rows, channel: try resolvedChannel(rows), referenceGainError: referenceGainPpm * 1e-6, file: points)
            certificate = MeterCertificate(
                fit: fit, meter: meter, firmware: firmware, operatorName: operatorName, date: CalibrationFiles.day(),
                validUntil: CalibrationFiles.day(monthsAhead: validMonths), software: CalibrationFiles.software,
                source: .init(path: points, bytes: bytes))
        } catch {
            throw CalibrationFiles.failure(error)
        }
        if let output {
            try CalibrationFiles.write(try CalibrationFiles.json(certificate), to: output + ".json")
            try CalibrationFiles.write(certificate.html, to: output + ".html")
        }
        let fit = certificate.fit
        for item in fit.setAside { CalibrationFiles.note("line \(item.line ?? 0): \(item.reason)") }
        for reason in certificate.reasons { CalibrationFiles.note(reason) }
        if json {
            print(
                try CalibrationFiles.json(
                    Summary(
                        offset: fit.offset, gain: fit.gain, quad: fit.quad, u_gain: fit.gainUncertainty,
                        u_offset: fit.offsetUncertainty, nonlinearity_significant: fit.nonlinearityIsSignificant,
                        hysteresis_significant: fit.hysteresisIsSignificant, status: certificate.status,
                        reasons: certificate.reasons, fit: fit)))
        } else {
            print(
                "\(certificate.status.rawValue): gain \(fit.gain) ± \(2 * fit.gainUncertainty), offset \(fit.offset) ± \(2 * fit.offsetUncertainty) \(fit.channel.unit) (k = 2)"
            )
        }
        if certificate.status == .refused { throw ExitCode(ExitStatus.ruleFailed.rawValue) }
    }

    private func resolvedChannel(_ rows: [MeterPoint]) throws -> MeterChannel {
        if let channel {
            guard let known = MeterChannel(rawValue: channel.uppercased()) else {
                throw ExitFailure(.badInput, "--channel \(channel): expected V or I")
            }
            return known
        }
        return rows.allSatisfy { $0.reference > 3.5 } ? .voltage : .current
    }
}
