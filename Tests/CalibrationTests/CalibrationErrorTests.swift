import Testing

@testable import Calibration

@Suite("Calibration errors speak to a technician")
struct CalibrationErrorTests {
    @Test("an extrapolation names quantity, value, range and what to do")
    func extrapolation() {
        let error = CalibrationError.outsideValidity(quantity: "soc_c", value: 90, range: 30...70)
        #expect(error.description.contains("soc_c = 90.0"))
        #expect(error.description.contains("30.0 to 70.0"))
    }
}
