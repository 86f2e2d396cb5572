import Testing

@testable import MeterProtocol

@Suite struct MeterProfileTests {
    @Test(
        arguments: [
            (0x0063, "POWER-Z KM003C", "KM003C"), (0x0061, "POWER-Z KM002C", "KM002C"), (0x0063, "", "KM003C"),
            (0x0061, "", "KM002C"), (0x0063, "POWER-Z KM001C", "KM001C"), (0x0062, "POWER-Z KM001C", "KM001C"),
            (0x1234, "", "KM001C"), (0x1234, "POWER-Z KM003C", "KM003C"), (0x0063, "POWER-Z KM009", "KM001C"),
        ] as [(UInt16, String, String)])
    func productStringDecidesThenTheId(productID: UInt16, product: String, name: String) {
        #expect(MeterProfile.choose(vendorID: 0x5FC9, productID: productID, product: product)?.name == name)
    }

    @Test func onlyTheVerifiedModelComesWithoutNotice() throws {
        #expect(MeterProfile.km003c.notice == nil)
        #expect(MeterProfile.km003c.status == .verified)
        #expect(MeterProfile.km002c.status == .byReport)
        #expect(MeterProfile.km001c.status == .unverified)
        #expect(try #require(MeterProfile.km001c.notice).contains("unverified"))
        #expect(try #require(MeterProfile.km002c.notice).contains("KM002C"))
    }

    @Test func reportsNameTheMeterByItsOwnString() {
        #expect(MeterProfile.km001c.reportedModel(product: "POWER-Z KM009") == "KM009")
        #expect(MeterProfile.km001c.reportedModel(product: "") == "unknown")
        #expect(MeterProfile.km003c.reportedModel(product: "") == "KM003C?")
    }

    @Test func otherVendorsHaveNoProfileAndTheOldGenerationIsNamed() {
        #expect(MeterProfile.choose(vendorID: 0x0483, productID: 0x5750, product: "") == nil)
        #expect(KingMeterIdentity.matches(vendorID: 0x0483, productID: 0x5750))
        #expect(!KingMeterIdentity.matches(vendorID: 0x5FC9, productID: 0x0063))
        #expect(KingMeterIdentity.notice.contains("KM001"))
    }
}
