/// The older KM001 / KM001 Pro generation: HID, another protocol, no timestamps. It is recognised by its ids so that the
/// technician reads its name instead of "no meter found"; it is not measured with.
package enum KingMeterIdentity {
    private static let vendors: Set<UInt16> = [0x0416, 0x0483]
    private static let products: Set<UInt16> = [0x5750, 0x5F50]

    package static func matches(vendorID: UInt16, productID: UInt16) -> Bool {
        vendors.contains(vendorID) && products.contains(productID)
    }

    /// What to tell the technician.
    package static let notice = """
        this is a meter of the older KM001 generation (HID protocol, about 500 readings per second at most, without \
        timestamps, so lost readings cannot be seen): it cannot be used here; use a meter of USB vendor 5fc9
        """
}
