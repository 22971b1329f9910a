internal import Synchronization
public import TesseraRun

/// How far the building or reading of data is.
public struct DatasetProgress: Sendable, Hashable {
  /// What is being done: "drawing OpenMoji".
  public var step: String
  /// How much of it is done.
  public var done: Int
  /// How much there is to do.
  public var total: Int

  /// Makes a report.
  public init(step: String, done: Int, total: Int) {
    self.step = step
    self.done = done
    self.total = total
  }
}

/// Shows the progress of data as a status: "drawing OpenMoji  512/1847  8 s left".
public final class DatasetProgressDisplay: Sendable {
  private struct State {
    var step = ""
    var begin = ContinuousClock.now
    var shown = ContinuousClock.now
  }

  private let output: ProgressOutput
  private let state = Mutex(State())

  /// A display on an output.
  public init(on output: ProgressOutput) {
    self.output = output
  }

  /// Shows a report, unless the last one was shown less than a tenth of a second ago.
  public func show(_ progress: DatasetProgress) {
    let now = ContinuousClock.now
    let text: String? = state.withLock { state in
      if state.step != progress.step {
        state = State(step: progress.step, begin: now, shown: now)
      } else if now - state.shown < .milliseconds(100), progress.done < progress.total {
        return nil
      }
      state.shown = now
      let seconds = (now - state.begin) / .seconds(1)
      var text = "\(progress.step)  \(grouped(progress.done))/\(grouped(progress.total))"
      if progress.done > 0, seconds > 0.5 {
        let left = seconds / Double(progress.done) * Double(progress.total - progress.done)
        if left >= 1 { text += "  \(TimeLeft.text(left)) left" }
      }
      return text
    }
    if let text { output.status(text) }
  }
}
