/// The files of `wattbench decode`: the same columns and number formats as the reference decodings of the captures.
package struct CaptureReport: Sendable {
    package let transfers: Int
    package let decoder: CaptureDecoder
    package let segments: [QueueSegment]
    private let profile: MeterProfile

    package init(rows: [CaptureRow], profile: MeterProfile = .km003c) {
        transfers = rows.count
        self.profile = profile
        let decoder = CaptureDecoder(rows: rows)
        self.decoder = decoder
        var runs: [[CaptureDecoder.QueueReply]] = []
        for reply in decoder.queue {
            if let current = runs.last?.last, current.start == reply.start {
                runs[runs.count - 1].append(reply)
            } else {
                runs.append([reply])
            }
        }
        segments = runs.map { run in
            let start = run.first?.start.map { decoder.starts[$0] }
            return QueueSegment(
                startSeq: start?.seq, rate: start.flatMap { profile.rate(index: $0.rateIndex) }, replies: run)
        }
    }

    package var queueSampleCount: Int { decoder.queue.reduce(0) { $0 + $1.samples.count } }
    package var pdRowCount: Int { decoder.pd.reduce(0) { $0 + 1 + $1.payload.events.count } }

    /// File names and contents; a table without rows is left out.
    package func files(includingPackets: Bool) -> [(name: String, text: String)] {
        var files: [(name: String, text: String)] = []
        if !decoder.adc.isEmpty { files.append(("adc.csv", adcTable)) }
        if !decoder.queue.isEmpty { files.append(("queue.csv", queueTable)) }
        if !decoder.pd.isEmpty { files.append(("pd.csv", pdTable)) }
        for (index, log) in decoder.logs.enumerated() {
            files.append((index == 0 ? "log.csv" : "log_\(index + 1).csv", Self.logTable(log)))
        }
        if includingPackets { files.append(("packets.csv", packetTable)) }
        files.append(("summary.json", summary))
        return files
    }

    /// Every table that a decoding may have.
    package static let tableNames = ["adc.csv", "queue.csv", "pd.csv", "log.csv", "packets.csv"]

    /// One line for people.
    package var overview: String {
        let missing = segments.reduce(0) { $0 + $1.missing }
        return "\(transfers) transfers: \(decoder.adc.count) ADC replies, \(queueSampleCount) queue samples "
            + "(\(missing) missing), \(pdRowCount) PD rows, \(decoder.logs.count) logs"
            + (decoder.undecodable > 0 ? ", \(decoder.undecodable) replies undecodable" : "")
    }

    // MARK: Tables

    private var adcTable: String {
        var out = """
            seq,vbus_uv,ibus_ua,vbus_avg_uv,ibus_avg_ua,vbus_uncal_avg_raw,ibus_uncal_avg_raw,temp_c,temp_valid,cc1_100uv,\
            cc2_100uv,dp_100uv,dm_100uv,vdd_100uv,rate_raw

            """
        for (seq, r) in decoder.adc {
            let isValid = r.temperatureRaw != ADCReading.noTemperature
            out += """
                \(seq),\(r.vbusMicrovolts),\(r.ibusMicroamperes),\(r.vbusAverageMicrovolts),\
                \(r.ibusAverageMicroamperes),\(r.vbusUncalibratedAverage),\(r.ibusUncalibratedAverage),\
                \(DecimalText.fixed(Double(r.temperatureRaw) / 128, places: 4)),\(isValid ? 1 : 0),\(r.cc1),\(r.cc2),\
                \(r.dPlus),\(r.dMinus),\(r.vdd),\(r.rateByte & 3)

                """
        }
        return out
    }

    /// Rate columns stay empty where the capture does not show the START_GRAPH.
    private var queueTable: String {
        var out = """
            seq,index_in_batch,sequence_u16,marker_u16,uptime_ms,vbus_uv,ibus_ua,cc1_raw,cc2_raw,dp_raw,dm_raw,rate_index,\
            rate_sps

            """
        out.reserveCapacity(queueSampleCount * 60)
        for reply in decoder.queue {
            let index = reply.start.map { decoder.starts[$0].rateIndex }
            let rate = index.map { "\($0),\(profile.rate(index: $0).map { "\($0.samplesPerSecond)" } ?? "")" } ?? ","
            for (k, s) in reply.samples.enumerated() {
                let uptime = s.uptimeMilliseconds
                out += """
                    \(reply.seq),\(k),\(uptime & 0xFFFF),\(uptime >> 16),\(uptime),\(s.vbusMicrovolts),\
                    \(s.ibusMicroamperes),\(s.cc1),\(s.cc2),\(s.dPlus),\(s.dMinus),\(rate)

                    """
            }
        }
        return out
    }

    private var pdTable: String {
        var out = "seq,kind,timestamp_ms,vbus_mv,ibus_ma,cc1_mv,cc2_mv,event\n"
        for (seq, p) in decoder.pd {
            let kind = p.events.isEmpty ? "status" : "preamble"
            out += """
                \(seq),\(kind),\(p.uptimeMilliseconds),\(p.vbusMillivolts),\(p.ibusMilliamperes),\(p.cc1Millivolts),\
                \(p.cc2Millivolts),

                """
            for event in p.events { out += "\(seq),event,\(event.uptimeMilliseconds),,,,,\(event.label)\n" }
        }
        return out
    }

    private static func logTable(_ log: CaptureDecoder.Log) -> String {
        var out = "index,t_s,voltage_uv,current_ua,charge_uah,energy_uwh\n"
        for (index, s) in log.samples.enumerated() {
            let milliseconds = log.entry.map { index * Int($0.intervalMilliseconds) }
            let time = milliseconds.map {
                $0.isMultiple(of: 1000) ? "\($0 / 1000)" : DecimalText.fixed(Double($0) / 1000, places: 3)
            }
            out += """
                \(index),\(time ?? ""),\(s.vbusMicrovolts),\(s.ibusMicroamperes),\(s.chargeMicroampereHours),\
                \(s.energyMicrowattHours)

                """
        }
        return out
    }

    private var packetTable: String {
        var out = "seq,dir,type,id,attribute,meaning,detail\n"
        for (seq, direction, meaning) in decoder.meanings {
            out += "\(seq),\(direction.rawValue),\(meaning.columns)\n"
        }
        return out
    }

    // MARK: Summary

    /// summary.json; keys beyond the reference ones appear only where there is something to say.
    package var summary: String {
        var members: [(String, JSONText)] = [
            ("transfers", .int(transfers)), ("adc_replies", .int(decoder.adc.count)),
            ("queue_samples", .int(queueSampleCount)), ("pd_rows", .int(pdRowCount)),
            ("start_graph", .array(decoder.starts.map(startObject))),
            ("queue_segments", .array(segments.map(segmentObject))),
        ]
        if decoder.undecodable > 0 { members.append(("undecodable_replies", .int(decoder.undecodable))) }
        if !decoder.notes.isEmpty, decoder.undecodable > 0 || segments.contains(where: \.isRateInferred) {
            members.append(("notes", .array(decoder.notes.map(JSONText.string))))
        }
        return JSONText.object(members).text(indent: 1)
    }

    private func startObject(_ start: CaptureDecoder.Start) -> JSONText {
        .object([
            ("seq", .int(start.seq)), ("rate_index", .int(Int(start.rateIndex))),
            ("rate_sps", profile.rate(index: start.rateIndex).map { .int($0.samplesPerSecond) } ?? .null),
            ("accepted", start.isAccepted.map(JSONText.bool) ?? .null),
        ])
    }

    private func segmentObject(_ s: QueueSegment) -> JSONText {
        let rate: JSONText =
            switch s.samplesPerSecond {
            case nil: .null
            case let value? where value == value.rounded(): .int(Int(value))
            case let value?: .number(DecimalText.fixed(value, places: 3))
            }
        var members: [(String, JSONText)] = [
            ("start_seq", s.startSeq.map(JSONText.int) ?? .null), ("rate_sps", rate), ("samples", .int(s.samples)),
            ("first_uptime_ms", .int(Int(s.firstUptimeMilliseconds))),
            ("last_uptime_ms", .int(Int(s.lastUptimeMilliseconds))), ("missing_samples", .int(Int(s.missing))),
            ("gap_events", .int(s.gaps.count)), ("repeated_or_backward", .int(s.repeatedOrBackward)),
            ("batches", .int(s.batches)), ("largest_batch", .int(s.largestBatch)),
            ("mean_vbus_uv", .number(DecimalText.fixed(s.meanVbusMicrovolts, places: 3))),
            ("mean_ibus_ua", .number(DecimalText.fixed(s.meanIbusMicroamperes, places: 3))),
            ("gaps", .array(s.gaps.map(gapObject))),
        ]
        if s.isRateInferred { members.append(("rate_inferred_from_steps", .bool(true))) }
        if s.rejected > 0 { members.append(("rejected_samples", .int(s.rejected))) }
        if s.clockRestarts > 0 { members.append(("clock_restarts", .int(s.clockRestarts))) }
        return .object(members)
    }

    private func gapObject(_ gap: QueueSegment.Gap) -> JSONText {
        .object([
            ("seq", .int(gap.seq)), ("index_in_batch", .int(gap.indexInBatch)),
            ("after_uptime_ms", .int(Int(gap.afterUptimeMilliseconds))),
            ("before_uptime_ms", .int(Int(gap.beforeUptimeMilliseconds))),
            ("step_ms", .int(Int(gap.stepMilliseconds))), ("missing", .int(Int(gap.missing))),
        ])
    }
}
