package import Foundation

extension Instance {
    /// The instance as JSON text (`deta-instance/1`); reading it back gives an equal instance.
    package func json() -> Data {
        var out = JSONWriter()
        out.object { out in
            out.member("schema", Self.schema)
            out.member("name", name)
            if let seed { out.member("seed", seed) }
            if let note { out.member("note", note) }
            out.member("slot_hours", slotHours)
            out.member("n_slots", slots)
            out.key("servers")
            out.array(servers) { out, server in server.write(to: &out) }
            out.member("carbon_g_per_kwh", table: carbon, columns: slots)
            out.member("harvest_wh", table: harvest, columns: slots)
            out.member("arrivals_batches", table: arrivals, columns: slots)
            out.key("trade")
            out.object { out in
                out.member("cap_fraction", trade.capFraction)
                out.member("cap_basis", trade.capBasis.rawValue)
                out.member("efficiency", trade.efficiency)
            }
            out.key("offload")
            out.object { out in
                out.member("cap_fraction", offload.capFraction)
                out.member("cap_basis", offload.capBasis.rawValue)
                out.member("tx_wh_per_batch", offload.txWhPerBatch)
                out.member("rx_wh_per_batch", offload.rxWhPerBatch)
                out.member("net_wh_per_batch", offload.netWhPerBatch)
                out.member("net_carbon_g_per_kwh", offload.netCarbon)
                out.member("requires_awake", offload.requiresAwake)
            }
            out.key("barriers")
            out.array(barriers) { out, slot in out.value(slot) }
            out.member("terminal_soc", terminalRule.rawValue)
            out.member("grid_charging", gridCharging)
        }
        return out.data
    }
}

extension Server {
    fileprivate func write(to out: inout JSONWriter) {
        out.object { out in
            out.member("id", id)
            if let region { out.member("region", region) }
            out.member("p_idle_w", idleW)
            out.member("p_sleep_w", sleepW)
            out.member("wake_wh", wakeWh)
            out.member("wake_slot_fraction", wakeSlotFraction)
            out.member("initially_awake", initiallyAwake)
            out.member("e_batch_wh", batchWh)
            out.member("capacity_batches_per_slot", capacityBatches)
            out.member("storage_batches", storageBatches)
            out.key("battery")
            out.object { out in
                out.member("capacity_wh", battery.capacityWh)
                out.member("initial_wh", battery.initialWh)
                out.member("max_charge_w", battery.maxChargeW)
                out.member("max_discharge_w", battery.maxDischargeW)
                out.member("eta_charge", battery.etaCharge)
                out.member("eta_discharge", battery.etaDischarge)
                out.member("self_discharge_per_slot", battery.selfDischargePerSlot)
            }
        }
    }
}
