import Testing

@testable import MeterDriver

@Suite struct VendorInterfaceTests {
    typealias Endpoint = InterfaceDescription.Endpoint

    /// The four interfaces of a KM003C as its descriptors give them (firmware-notes/usb-host.md).
    static let km003c = [
        InterfaceDescription(
            number: 0, alternate: 0, interfaceClass: 0xff,
            endpoints: [
                Endpoint(address: 0x01, transferType: 2, packetSize: 64),
                Endpoint(address: 0x81, transferType: 2, packetSize: 64),
            ]),
        InterfaceDescription(
            number: 1, alternate: 0, interfaceClass: 2,
            endpoints: [Endpoint(address: 0x83, transferType: 3, packetSize: 8)]),
        InterfaceDescription(
            number: 2, alternate: 0, interfaceClass: 10,
            endpoints: [
                Endpoint(address: 0x02, transferType: 2, packetSize: 64),
                Endpoint(address: 0x82, transferType: 2, packetSize: 64),
            ]),
        InterfaceDescription(
            number: 3, alternate: 0, interfaceClass: 3,
            endpoints: [
                Endpoint(address: 0x85, transferType: 3, packetSize: 64),
                Endpoint(address: 0x05, transferType: 3, packetSize: 64),
            ]),
    ]

    @Test func theVendorInterfaceOfAKM003CIsChosen() {
        #expect(
            VendorInterface.choose(from: Self.km003c)
                == VendorInterface(number: 0, inAddress: 0x81, outAddress: 0x01, packetSize: 64))
    }

    @Test func numbersAndAddressesAreReadNotAssumed() {
        let moved = [
            InterfaceDescription(
                number: 2, alternate: 0, interfaceClass: 0xff,
                endpoints: [
                    Endpoint(address: 0x84, transferType: 3, packetSize: 8),
                    Endpoint(address: 0x87, transferType: 2, packetSize: 32),
                    Endpoint(address: 0x06, transferType: 2, packetSize: 32),
                ])
        ]
        #expect(
            VendorInterface.choose(from: moved)
                == VendorInterface(number: 2, inAddress: 0x87, outAddress: 0x06, packetSize: 32))
    }

    @Test func dataInterfacesOfOtherClassesAreLeftAlone() {
        #expect(VendorInterface.choose(from: Array(Self.km003c.dropFirst())) == nil)
    }

    @Test func aVendorInterfaceWithTwoReadersIsNotGuessedAt() {
        var odd = Self.km003c
        odd[0].endpoints.append(Endpoint(address: 0x86, transferType: 2, packetSize: 64))
        #expect(VendorInterface.choose(from: odd) == nil)
    }

    @Test func anyProductOfTheVendorMatchesAndOthersDoNot() {
        let rules = DeviceRules()
        #expect(rules.matches(vendorID: 0x5fc9, productID: 0x0063))
        #expect(rules.matches(vendorID: 0x5fc9, productID: 0x1234))
        #expect(!rules.matches(vendorID: 0x0483, productID: 0x5750))
        let wider = DeviceRules(identities: [
            DeviceRules.powerZ, .init(vendorID: 0x0483, productID: 0x0063),
        ])
        #expect(wider.matches(vendorID: 0x0483, productID: 0x0063))
        #expect(!wider.matches(vendorID: 0x0483, productID: 0x0064))
    }

    @Test func olderMetersAreNamedOnlyWhenTheyLookLikeThem() throws {
        let remark = try #require(OtherMeter.remark(vendorID: 0x0483, productID: 0x5750, hasHID: true))
        #expect(remark.contains("KM001"))
        #expect(OtherMeter.remark(vendorID: 0x0483, productID: 0x5750, hasHID: false) == nil)
        #expect(OtherMeter.remark(vendorID: 0x5fc9, productID: 0x0063, hasHID: true) == nil)
    }
}
