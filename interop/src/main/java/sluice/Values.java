package sluice;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonPrimitive;
import java.util.List;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.NdArray;
import org.tensorflow.ndarray.NdArrays;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt64;
import org.tensorflow.types.TString;

/** Vectors as tensors, and tensors as JSON. */
final class Values {
  static TFloat32 floats(List<Float> values) {
    return TFloat32.tensorOf(Shape.of(values.size()), to -> each(values, (value, at) -> to.setFloat(value, at)));
  }

  static TInt64 longs(List<Long> values) {
    return TInt64.tensorOf(Shape.of(values.size()), to -> each(values, (value, at) -> to.setLong(value, at)));
  }

  static TString strings(List<byte[]> values) {
    return TString.tensorOfBytes(NdArrays.vectorOfObjects(values.toArray(byte[][]::new)));
  }

  /** Numbers or texts, nested as the tensor is. */
  static JsonElement json(Tensor tensor) {
    if (!(tensor instanceof NdArray<?> values)) {
      throw new IllegalArgumentException("Expected a tensor of numbers or texts. Received: " + tensor.dataType());
    }
    return nested(values);
  }

  private static JsonElement nested(NdArray<?> values) {
    if (values.rank() == 0) {
      Object value = values.getObject();
      return value instanceof Number number ? new JsonPrimitive(number) : new JsonPrimitive((String) value);
    }
    JsonArray array = new JsonArray();
    values.elements(0).forEach(element -> array.add(nested(element)));
    return array;
  }

  private interface At<T> {
    void put(T value, long at);
  }

  private static <T> void each(List<T> values, At<T> to) {
    for (int at = 0; at < values.size(); at++) {
      to.put(values.get(at), at);
    }
  }

  private Values() {}
}
