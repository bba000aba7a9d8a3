package sluice;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tensorflow.proto.DataType;
import org.tensorflow.proto.TensorProto;
import org.tensorflow.types.family.TType;

/**
 * The file of requests that TensorFlow Serving sends to a model before it lets anybody else.
 *
 * <p>A TFRecord file of PredictionLog messages. TensorFlow for Java has no classes for them, so their fields are taken
 * by the numbers that TensorFlow Serving's prediction_log.proto, predict.proto and model.proto give them.
 */
final class Warmup {
  private static final int PREDICT_LOG = 6, REQUEST = 1, MODEL_SPEC = 1, INPUTS = 2, SIGNATURE_NAME = 3, KEY = 1, VALUE = 2;
  private static final int HEADER = 12, FOOTER = 4; // a record's length and its checksum; the content's checksum

  record Request(String signature, Map<String, TType> inputs) {}

  static List<Request> read(byte[] file) throws InvalidProtocolBufferException {
    List<Request> requests = new ArrayList<>();
    ByteBuffer records = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; at < file.length; ) {
      int length = (int) records.getLong(at);
      ByteString log = ByteString.copyFrom(file, at + HEADER, length);
      requests.add(request(only(only(log, PREDICT_LOG), REQUEST)));
      at += HEADER + length + FOOTER;
    }
    return requests;
  }

  private static Request request(ByteString message) throws InvalidProtocolBufferException {
    Map<String, TType> inputs = new LinkedHashMap<>();
    for (ByteString input : all(message, INPUTS)) {
      inputs.put(only(input, KEY).toStringUtf8(), tensor(TensorProto.parseFrom(only(input, VALUE))));
    }
    return new Request(only(only(message, MODEL_SPEC), SIGNATURE_NAME).toStringUtf8(), inputs);
  }

  /** A vector. Numbers stand in the message one by one, or all together as bytes. */
  private static TType tensor(TensorProto message) {
    ByteBuffer content = message.getTensorContent().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    int size = (int) message.getTensorShape().getDim(0).getSize();
    if (message.getDtype() == DataType.DT_STRING) {
      return Values.strings(message.getStringValList().stream().map(ByteString::toByteArray).toList());
    }
    if (message.getDtype() == DataType.DT_FLOAT) {
      List<Float> values = new ArrayList<>(message.getFloatValList());
      while (content.hasRemaining()) {
        values.add(content.getFloat());
      }
      return Values.floats(repeatedTo(size, values));
    }
    List<Long> values = new ArrayList<>(message.getInt64ValList());
    while (content.hasRemaining()) {
      values.add(content.getLong());
    }
    return Values.longs(repeatedTo(size, values));
  }

  /** The last value stands for all that follow. */
  private static <T> List<T> repeatedTo(int size, List<T> values) {
    while (values.size() < size) {
      values.add(values.get(values.size() - 1));
    }
    return values;
  }

  private static ByteString only(ByteString message, int field) throws InvalidProtocolBufferException {
    return all(message, field).get(0);
  }

  private static List<ByteString> all(ByteString message, int field) throws InvalidProtocolBufferException {
    return UnknownFieldSet.parseFrom(message).getField(field).getLengthDelimitedList();
  }

  private Warmup() {}
}
