import Testing

@testable import MeterProtocol

@Suite struct FoundMeterTests {
    @Test func aRealMeterIsNotVirtualUnlessSaid() {
        let meter = FoundMeter(
            serial: "007965", portPath: "1-1", vendorID: 0x5fc9, productID: 0x63, product: "POWER-Z KM003C",
            access: .present)
        #expect(!meter.isVirtual)
    }
}
